"""Authentication: from credentials to callers."""
