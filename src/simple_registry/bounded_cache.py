"""A cache whose bound is bytes: what clients make us keep is counted by what it costs, not by its number."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class BoundedCache(Generic[Key, Value]):
    """Values by key. Once they cost more than `capacity` bytes together, those used least recently go first."""

    def __init__(self, capacity: int) -> None:
        """Begin empty."""
        self._capacity = capacity
        self._entries: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self.size = 0
        """Bytes that the values cost together, as `keep` was told."""

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, key: Key) -> Value | None:
        """Return the value that is kept under a key."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[0]

    def keep(self, key: Key, value: Value, cost: int) -> None:
        """Keep a value of `cost` bytes in place of an earlier one; one that fits nowhere is not kept."""
        self.drop(key)
        if cost > self._capacity:
            return
        self._entries[key] = (value, cost)
        self.size += cost
        while self.size > self._capacity:
            self.drop(next(iter(self._entries)))

    def drop(self, key: Key) -> None:
        """Keep nothing under a key."""
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.size -= entry[1]
