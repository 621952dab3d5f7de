"""Shared by tests: an in-process client over the whole application, stores for it, and documents to push."""
