"""The database itself: connections, the writing thread, commits and what a failed disk leaves; no row is known here."""
