"""Balances the connections of processes that accept from one listening socket.

The kernel wakes all of them for each connection, and the fastest process, usually the same one, would accept them all.
So each process publishes its number of connections in shared memory, and one with more than another waits before it
accepts.
"""

import mmap
from typing import TypeAlias

BACK_OFF = 0.002
"""Seconds that a process with more connections than another waits before it accepts."""

_WORD = 8

Counts: TypeAlias = "memoryview[int]"


def shared_counts(processes: int) -> Counts:
    """Return one counter for each process, shared by processes that are forked later."""
    return memoryview(mmap.mmap(-1, processes * _WORD)).cast("q")


class SharedQueue:
    """One process's view of a shared queue."""

    def __init__(self, counts: Counts, number: int) -> None:
        self._counts = counts
        self._number = number
        self.publish(0)

    def publish(self, connections: int) -> None:
        """Publish the number of connections of this process."""
        self._counts[self._number] = connections

    def should_wait(self) -> bool:
        """Return whether another process has fewer connections."""
        return self._counts[self._number] > min(self._counts)
