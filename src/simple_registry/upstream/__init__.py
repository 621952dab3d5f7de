"""Other servers that this one asks for documents."""
