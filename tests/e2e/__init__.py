"""A running server, judged from outside: the official conformance suite and the clients that people use."""
