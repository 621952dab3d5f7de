"""What tests, fault campaigns and benchmarks share: registries as processes, tools, certificates, content."""
