"""The OCI specifications as values: names, digests, references, descriptors, manifests and errors. No I/O."""
