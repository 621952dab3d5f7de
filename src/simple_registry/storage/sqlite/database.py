"""One process's access to the database: reads at once, on the caller's thread; writes through the writing thread.

A read is a lookup of a few microseconds on a connection of its own, which under WAL waits for no writer. Every read
takes all its rows at once: a statement left half-read would keep the log from being folded into the database.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from simple_registry.clock import Clock
from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.connections import fault, open_connection
from simple_registry.storage.sqlite.writer import Writer

Value = str | int | float | None
Row = tuple[Value, ...]

_ACTION = "read rows"
_T = TypeVar("_T")


class Database:
    """Reads and writes rows. Built after the process was forked, in the thread that reads."""

    def __init__(self, path: str, clock: Clock) -> None:
        """Open the database at `path`, which `migrate` has brought up to date.

        Raises: StorageFault.
        """
        try:
            self._reader = open_connection(path, query_only=True)
        except apsw.Error as error:
            raise fault(_ACTION, error) from error
        self._writer = Writer(path)
        self._closed = False
        self.clock = clock

    def rows(self, sql: str, *bindings: Value) -> Sequence[Row]:
        """Return all rows of a query.

        Raises: StorageFault.
        """
        if self._closed:
            raise StorageFault(_ACTION, "the store is closed")
        try:
            return self._reader.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise fault(_ACTION, error, self._reader) from error

    def row(self, sql: str, *bindings: Value) -> Row | None:
        """Return the only row of a query, or `None`.

        Raises: StorageFault.
        """
        rows = self.rows(sql, *bindings)
        return rows[0] if rows else None

    async def write(self, apply: Callable[[apsw.Connection], _T], *, after: Callable[[], None] | None = None) -> _T:
        """Return what `apply` returns, once what it did is durable. See `Writer.write`."""
        return await self._writer.write(apply, after=after)

    async def close(self) -> None:
        """Finish the writes under way and let go."""
        await self._writer.close()
        self._closed = True
        self._reader.close()
