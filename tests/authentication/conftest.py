"""Ask through the front: the whole application, over stores in memory and on disk."""

from support.fixtures import clock, front, make_front, memory_front

__all__ = ["clock", "front", "make_front", "memory_front"]
