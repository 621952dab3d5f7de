"""Shared by tests, fault campaigns and benchmarks: registries as processes, tools, certificates, content."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
"""This checkout."""
