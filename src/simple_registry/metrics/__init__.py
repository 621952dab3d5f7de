"""Metrics for Prometheus, counted by each process in shared memory."""
