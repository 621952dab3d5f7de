"""Simple Registry: a lightweight, self-hosted OCI container registry."""

__version__ = "1.0.0"
