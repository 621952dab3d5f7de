"""Numbers about a running server, for Prometheus: counted by each process in memory that all of them share."""
