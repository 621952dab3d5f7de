"""Access to other servers."""
