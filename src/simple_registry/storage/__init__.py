"""Where content and rows are kept: the protocols, and one package per kind of store."""
