"""The web pages: over operations, as the handlers of `http` are, and decided by the same policy."""
