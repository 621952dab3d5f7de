"""A queue of new connections that several processes share, and how they come to have about as many each.

The kernel wakes all of them for a connection, and the one that is fastest, mostly the same, would take them all. Each
process notes how many it has where the others see it; one that has more than another waits a moment before it takes
one.
"""

import mmap
from typing import TypeAlias

MOMENT = 0.002
"""Seconds that a process with more connections leaves to the others."""

_WORD = 8

Counts: TypeAlias = "memoryview[int]"


def counts_of(processes: int) -> Counts:
    """Return numbers that processes share if they are forked later, one for each."""
    return memoryview(mmap.mmap(-1, processes * _WORD)).cast("q")


class SharedQueue:
    """One process's view of a shared queue."""

    def __init__(self, counts: Counts, number: int) -> None:
        """Be process `number` of those that share `counts`."""
        self._counts = counts
        self._number = number
        self.note(0)

    def note(self, connections: int) -> None:
        """Note how many connections this process has."""
        self._counts[self._number] = connections

    def should_wait(self) -> bool:
        """Return whether another process has fewer."""
        return self._counts[self._number] > min(self._counts)
