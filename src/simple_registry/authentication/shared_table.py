"""Rows of numbers by key, in memory that all processes share.

    key ──► a set of four rows ──► the row with this key, or the one whose first number is least

The memory is mapped before the first fork, and never grows: a new key takes the row of its set whose first number, a
time, is the oldest. There is no lock. A row that two processes take at once, or that one reads while another writes it,
may lose a count or be lost; the users of a table must tolerate that. Keys are keyed hashes, so no client can choose a
row.
"""

import mmap
from typing import TypeAlias

KEY = 16
"""Bytes of a key."""

_WORD = 8
_WAYS = 4

Row: TypeAlias = "memoryview[float]"


class SharedTable:
    """Rows of `width` numbers, all 0 at first."""

    def __init__(self, *, rows: int, width: int) -> None:
        """Map memory for `rows` rows; the kernel provides it only for rows in use."""
        self._places = rows // _WAYS
        self._width = width
        self._keys = mmap.mmap(-1, rows * KEY)
        self._numbers: memoryview[float] = memoryview(mmap.mmap(-1, rows * width * _WORD)).cast("d")

    def find(self, key: bytes) -> "Row | None":
        """Return the row of a key."""
        for at in self._candidates(key):
            if self._keys[at * KEY : (at + 1) * KEY] == key:
                return self._row(at)
        return None

    def take(self, key: bytes) -> Row:
        """Return the row of a key, which may take that of another key."""
        found = self.find(key)
        if found is not None:
            return found
        at = min(self._candidates(key), key=lambda each: self._numbers[each * self._width])
        row = self._row(at)
        for number in range(self._width):  # first, so that the new key never has the numbers of the old one
            row[number] = 0.0
        self._keys[at * KEY : (at + 1) * KEY] = key
        return row

    def _candidates(self, key: bytes) -> range:
        first = int.from_bytes(key[:_WORD], "big") % self._places * _WAYS
        return range(first, first + _WAYS)

    def _row(self, at: int) -> Row:
        return self._numbers[at * self._width : (at + 1) * self._width]
