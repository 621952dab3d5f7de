"""The web pages for people: over operations, as the handlers of `http` are, and decided by the same policy."""
