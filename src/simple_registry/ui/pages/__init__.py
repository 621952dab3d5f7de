"""The handlers of web pages, in modules by what they are about."""
