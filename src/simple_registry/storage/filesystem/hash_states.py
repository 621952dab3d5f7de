"""Hash states of sessions between two requests, so that the next one need not read what is already there.

A state counts only for exactly the file it was made from: another process may have gone on with the session, and
digests must never be claimed for bytes that were replaced.
"""

import os
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

CAPACITY = 1024
"""Sessions remembered per process; a state is a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class HashState:
    """The hash state of the first `received` bytes of something. Copy the hasher before you feed it."""

    received: int
    hasher: "Hasher"


class HashStates:
    """Remembers the states of the sessions used last. May be called from any thread."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        """Remember up to `capacity` sessions."""
        self._capacity = capacity
        self._states: OrderedDict[str, tuple[str, tuple[int, ...], HashState]] = OrderedDict()
        self._lock = Lock()

    def keep(self, session: str, algorithm: str, file: os.stat_result, state: HashState) -> None:
        """Remember the state of a session whose whole file it describes."""
        with self._lock:
            self._states[session] = (algorithm, _stamp(file), state)
            self._states.move_to_end(session)
            if len(self._states) > self._capacity:
                self._states.popitem(last=False)

    def find(self, session: str, algorithm: str, file: os.stat_result) -> HashState | None:
        """Return the state of a session, if its file is as it was."""
        with self._lock:
            kept = self._states.get(session)
        if kept is None or kept[:2] != (algorithm, _stamp(file)):
            return None
        return kept[2]

    def drop(self, session: str) -> None:
        """Forget a session."""
        with self._lock:
            self._states.pop(session, None)


def _stamp(file: os.stat_result) -> tuple[int, ...]:
    return (file.st_ino, file.st_size, file.st_mtime_ns)
