"""Clients that meet a collection at each of its steps, also when it dies there."""
