"""A backend for tests alone: content and uploads in a small object server, which several registries share.

The server knows whole objects and nothing else, as the smallest of object stores do. That this backend keeps every
contract shows that the seam of storage asks for no more.
"""
