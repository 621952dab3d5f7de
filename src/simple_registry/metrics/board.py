"""Shared memory with a row of numbers for each process, written by that process only.

    parent   │ row 0 │           mapped before the first fork, so that every process sees every row
    worker   │ row 1 │           a process continues from the numbers in its row
    worker   │ row 2 │ …         a row is reused when its process has ended

No locks are needed: a row has one writer, a number is one aligned word, and a reader adds up all rows. A new process
continues with the numbers of the previous one on its row, so no sum of counters decreases.
"""

import mmap
from typing import TypeAlias

WORD = 8
"""Bytes of a number."""

Row: TypeAlias = "memoryview[float]"
"""The numbers of one process, as floats; whole numbers are exact up to 2 ** 53."""


class Board:
    """Rows of numbers."""

    def __init__(self, *, rows: int, width: int) -> None:
        """Map `rows` rows of `width` numbers, all 0. Only rows in use take memory."""
        self.rows = rows
        self._width = width
        # The first word is the number of rows ever used; reading the others would allocate their pages.
        self._numbers = memoryview(mmap.mmap(-1, (1 + rows * width) * WORD)).cast("d")

    def row(self, number: int) -> Row:
        """Return the numbers of a row."""
        start = 1 + number * self._width
        return self._numbers[start : start + self._width]

    def use(self, number: int) -> None:
        """Mark a row as used; called by the parent only."""
        self._numbers[0] = max(self._numbers[0], number + 1)

    def totals(self) -> list[float]:
        """Return the sums over all rows ever used."""
        rows = [self.row(number).tolist() for number in range(int(self._numbers[0]))]
        return list(map(sum, zip(*rows, strict=True))) if rows else [0.0] * self._width
