"""Concurrent clients whose recorded histories must be linearizable."""
