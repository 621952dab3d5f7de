"""One process's access to the database: reads at once, on the caller's thread; writes through the writing thread.

A read is a lookup of a few microseconds on a connection of its own, which under WAL waits for no writer. Every read
takes all its rows at once: a statement left half-read would keep the log from being folded into the database.

Answers of point reads are cached until any process commits. SQLite's `data_version` changes then, and asking for it
costs a fraction of the read.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar, cast

import apsw

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.connections import fault, open_connection
from simple_registry.storage.sqlite.engine.reserve import keep_log
from simple_registry.storage.sqlite.engine.writer import Writer

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

_ACTION = "read rows"
_VERSION = "PRAGMA data_version"
_T = TypeVar("_T")

MAX_CACHED = 20_000
"""Answers in the cache at most; each is a few hundred bytes, whatever clients write."""

AT_ONCE = 16 * 1024
"""Bytes of rows that are read on the caller's thread, where clients decide how large rows are."""

ROW_SIZE = 100
"""Bytes that a row counts for beside its texts."""


class Database:
    """Reads and writes rows. Built after the process was forked, in the thread that reads."""

    def __init__(self, path: str, log_reserve: int = 0) -> None:
        """Open the database at `path`, which `migrate` has brought up to date; see `reserve` for `log_reserve`.

        Raises: StorageFault.
        """
        try:
            self._reader = open_connection(path, query_only=True)
            if log_reserve:
                keep_log(self._reader)
        except apsw.Error as error:
            raise fault(_ACTION, error) from error
        self.path = path
        self._writer = Writer(path, log_reserve)
        self._closed = False
        self._version: Sequence[Row] = ()
        self._answers: dict[Hashable, Any] = {}
        self.hits = 0
        self.misses = 0

    @property
    def commit_sizes(self) -> Sequence[int]:
        """How many commits there were of each number of changes, from none on."""
        return self._writer.sizes

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

    def cached(self, question: Hashable, read: Callable[[], _T]) -> _T:
        """Return what `read` returns for this question, from the cache if no process has committed since.

        The version is looked up before the rows, so an answer is never older than its version.

        Raises: StorageFault.
        """
        version = self.rows(_VERSION)
        if version != self._version or len(self._answers) >= MAX_CACHED:
            self._version, self._answers = version, {}
        try:
            answer: _T = self._answers[question]
        except KeyError:
            self.misses += 1
            answer = self._answers[question] = read()
        else:
            self.hits += 1
        return answer

    async def page(
        self, sql: str, bindings: Sequence[Value], *, size: int, make: Callable[[Row], _T]
    ) -> tuple[list[_T], bool]:
        """Return what `make` makes of the first rows of a query, and whether more follow.

        As many as have `size` bytes of text and `ROW_SIZE` each, at least one; no more are read. More than `AT_ONCE`
        bytes are read beside the event loop.

        Raises: StorageFault.
        """
        if self._closed:
            raise StorageFault(_ACTION, "the store is closed")
        if size > AT_ONCE:
            return await self.apart(lambda connection: _read_page(connection, sql, bindings, size, make))
        try:
            return _read_page(self._reader, sql, bindings, size, make)
        except apsw.Error as error:
            raise fault(_ACTION, error, self._reader) from error

    async def apart(self, read: Callable[[apsw.Connection], _T]) -> _T:
        """Return what `read` reads on a connection of its own, in a thread: for what takes longer than a lookup.

        Raises: StorageFault, and what `read` raises.
        """
        return await asyncio.to_thread(self._read_apart, read)

    def _read_apart(self, read: Callable[[apsw.Connection], _T]) -> _T:
        try:
            connection = open_connection(self.path, query_only=True)
            try:
                return read(connection)
            finally:
                connection.close()
        except apsw.Error as error:
            raise fault(_ACTION, error) from error

    async def write(
        self,
        apply: Callable[[apsw.Connection], _T],
        *,
        durable: bool = True,
    ) -> _T:
        """Return what `apply` returns, once what it did is committed. See `Writer.write`."""
        return await self._writer.write(apply, durable=durable)

    async def close(self) -> None:
        """Finish the writes under way and let go."""
        await self._writer.close()
        self._closed = True
        self._reader.close()


def _read_page(
    connection: apsw.Connection, sql: str, bindings: Sequence[Value], size: int, make: Callable[[Row], _T]
) -> tuple[list[_T], bool]:
    """Return what `make` makes of the first rows of a query, up to `size` bytes, and whether more follow."""
    made: list[_T] = []
    rows = connection.execute(sql, bindings)
    try:
        for row in cast("Iterable[Row]", rows):
            size -= ROW_SIZE + sum(len(value) for value in row if isinstance(value, str | bytes))
            if made and size < 0:
                return made, True
            made.append(make(row))
    finally:
        rows.close(force=True)  # a statement left half-read would keep the log from being folded
    return made, False
