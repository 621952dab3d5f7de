"""Memory that all processes of a server share: a row of numbers for each process, which alone writes it.

    parent   │ row 0 │           mapped before the first fork, so that every process sees every row
    worker   │ row 1 │           a process goes on from what its row already holds
    worker   │ row 2 │ …         a row is given to the next process when its own has ended

Nobody waits for anybody: a row has one writer, a number is one aligned word, and whoever wants to know adds up all
rows. Since a new process goes on with the numbers of the last one on its row, no sum of counters ever goes back.
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
        """Map `rows` rows of `width` numbers, all 0. Memory is taken only for rows that are used."""
        self._rows = rows
        self._width = width
        # One more word says how many rows were ever used: looking at the others would make memory of them.
        self._numbers = memoryview(mmap.mmap(-1, (1 + rows * width) * WORD)).cast("d")

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return self._rows

    def row(self, number: int) -> Row:
        """Return the numbers of a row."""
        start = 1 + number * self._width
        return self._numbers[start : start + self._width]

    def use(self, number: int) -> None:
        """Let a row count; only the parent calls this."""
        self._numbers[0] = max(self._numbers[0], number + 1)

    def totals(self) -> list[float]:
        """Return the sums over all rows that were ever used."""
        rows = [self.row(number).tolist() for number in range(int(self._numbers[0]))]
        return list(map(sum, zip(*rows, strict=True))) if rows else [0.0] * self._width
