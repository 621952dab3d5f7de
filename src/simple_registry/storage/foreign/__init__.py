"""What other programs keep or exchange: OCI layouts, and the data directories of other registries."""
