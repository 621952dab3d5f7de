"""Moving content between registries: export, import, and adoption of a data directory."""
