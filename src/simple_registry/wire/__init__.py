"""HTTP/1.1 on sockets: connections, heads, bodies and answers. Nothing in this package knows what a registry is."""
