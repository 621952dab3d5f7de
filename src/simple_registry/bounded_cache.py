"""A cache with a bound: of bytes, for values that clients choose, or of entries."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class CacheCounts(Protocol):
    """The counts of a cache."""

    @property
    def hits(self) -> int:
        """Number of lookups that found an entry."""

    @property
    def misses(self) -> int:
        """Number of lookups that found none."""


class BoundedCache(Generic[Key, Value]):
    """Values by key. When they cost more than `capacity` together, those used least recently are dropped."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.size = 0
        """The cost of all values together."""

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Key) -> Value | None:
        """Return the value of a key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def keep(self, key: Key, value: Value, cost: int = 1) -> None:
        """Keep a value in place of an earlier one; one that costs more than the capacity is not kept."""
        self.drop(key)
        if cost > self._capacity:
            return
        self._entries[key] = (value, cost)
        self.size += cost
        while self.size > self._capacity:
            self.drop(next(iter(self._entries)))

    def drop(self, key: Key) -> None:
        """Drop the value of a key, if there is one."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
