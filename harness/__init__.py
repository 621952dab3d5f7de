"""What tests, fault campaigns and benchmarks share: registries as processes, tools, certificates, content."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""This checkout."""
