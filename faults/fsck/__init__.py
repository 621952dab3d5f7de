"""`fsck` over random damage, and beside a server under load."""
