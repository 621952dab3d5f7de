"""Backends: where a registry keeps its data. Each one opens rows, content and uploads together."""
