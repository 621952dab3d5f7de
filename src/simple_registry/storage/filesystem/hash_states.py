"""Hash states of sessions between two requests, so that the next one need not read the received bytes again.

A state is valid only for the very file from which it was computed: another process may have extended the session, and
a digest must never be claimed for bytes that were replaced.
"""

import os
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

from simple_registry.bounded_cache import BoundedCache
from simple_registry.files import FileStamp

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

CAPACITY = 1024
"""Sessions whose states one process caches; each state is a few hundred bytes."""


@dataclass(frozen=True, slots=True)
class HashState:
    """The hash state of the first `received` bytes of a file. Copy the hasher before updating it."""

    received: int
    hasher: "Hasher"


class HashStates:
    """A cache of the states of recently used sessions. Thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._states: BoundedCache[str, tuple[str, FileStamp, HashState]] = BoundedCache(capacity)
        self._lock = Lock()

    def keep(self, session: str, algorithm: str, file: os.stat_result, state: HashState) -> None:
        """Cache the state of a session. It must cover the whole file."""
        with self._lock:
            self._states.keep(session, (algorithm, FileStamp.of(file), state))

    def find(self, session: str, algorithm: str, file: os.stat_result) -> HashState | None:
        """Return the state of a session if its file is unchanged."""
        with self._lock:
            kept = self._states.find(session)
        return kept[2] if kept is not None and kept[:2] == (algorithm, FileStamp.of(file)) else None

    def drop(self, session: str) -> None:
        """Drop the state of a session."""
        with self._lock:
            self._states.drop(session)
