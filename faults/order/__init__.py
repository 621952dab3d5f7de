"""The order of system calls: everything is on disk before it is acknowledged."""
