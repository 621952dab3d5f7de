"""Access of one process to the database: reads on the caller's thread, writes on the writing thread.

A read is a lookup of a few microseconds on its own connection; in WAL mode it waits for no writer. Every read fetches
all its rows, because an unfinished statement would prevent checkpoints of the log.

In read-only mode, which is a row, every change is refused in its transaction: none is committed after the row.

Results of point reads are cached until any process commits. SQLite's `data_version` changes then, and reading it costs
a fraction of a point read.
"""

import asyncio
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar, cast

import apsw

from simple_registry.faults import BY_SETTING, InReadOnlyMode, StorageFault
from simple_registry.storage.sqlite.engine.commits import ACTION
from simple_registry.storage.sqlite.engine.connections import fault, open_connection
from simple_registry.storage.sqlite.engine.reserve import keep_room
from simple_registry.storage.sqlite.engine.writer import Writer

Value = str | int | float | bytes | None
Row = tuple[Value, ...]

_ACTION = "read rows"
_VERSION = "PRAGMA data_version"
_MODE = "SELECT reason FROM read_only WHERE one = 1"
_T = TypeVar("_T")

MAX_CACHED = 20_000
"""Results in the cache; each has a few hundred bytes, whatever clients write."""

MAX_INLINE = 16 * 1024
"""Bytes of a page that is read on the caller's thread, where clients decide the size of rows."""

ROW_SIZE = 100
"""Bytes that each row adds to the size of a page, besides its texts."""


class Database:
    """Reads and writes rows. Created after the fork, on the thread that reads. Every method may raise StorageFault."""

    def __init__(self, path: str, log_reserve: int = 0, *, read_only: bool = False) -> None:
        """Open the database at `path`, which `migrate` has brought up to date; see `reserve` for `log_reserve`.

        With `read_only`, this process changes nothing.
        """
        try:
            self._reader = open_connection(path, query_only=True)
            if log_reserve:
                keep_room(self._reader)
        except apsw.Error as error:
            raise fault(_ACTION, error) from error
        self.path = path
        self._read_only = read_only
        self._writer = Writer(path, log_reserve)
        self.commit_sizes: Sequence[int] = self._writer.sizes
        self._closed = False
        self._version: Sequence[Row] = ()
        self._answers: dict[Hashable, Any] = {}
        self.hits = 0
        self.misses = 0

    def rows(self, sql: str, *bindings: Value) -> Sequence[Row]:
        """Return all rows of a query."""
        if self._closed:
            raise StorageFault(_ACTION, "the store is closed")
        try:
            return self._reader.execute(sql, bindings).fetchall()
        except apsw.Error as error:
            raise fault(_ACTION, error, self._reader) from error

    def row(self, sql: str, *bindings: Value) -> Row | None:
        """Return the only row of a query, or `None`."""
        rows = self.rows(sql, *bindings)
        return rows[0] if rows else None

    def cached(self, question: Hashable, read: Callable[[], _T]) -> _T:
        """Return the result of `read` for this question, from the cache if no process has committed since."""
        # Before the rows: a commit between the two reads makes the result newer than its version, never older.
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
        """Return the first rows of a query, each converted by `make`, and whether more follow.

        The page ends after `size` bytes of text and `ROW_SIZE` for each row, but has at least one row. If `size` is
        above `MAX_INLINE`, it is read in a thread.
        """
        if self._closed:
            raise StorageFault(_ACTION, "the store is closed")
        if size > MAX_INLINE:
            return await self.in_thread(lambda connection: _read_page(connection, sql, bindings, size, make))
        try:
            return _read_page(self._reader, sql, bindings, size, make)
        except apsw.Error as error:
            raise fault(_ACTION, error, self._reader) from error

    async def in_thread(self, read: Callable[[apsw.Connection], _T]) -> _T:
        """Return the result of `read`, called in a thread with its own connection, for longer reads."""
        return await asyncio.to_thread(self._read_in_thread, read)

    def _read_in_thread(self, read: Callable[[apsw.Connection], _T]) -> _T:
        try:
            connection = open_connection(self.path, query_only=True)
            try:
                return read(connection)
            finally:
                connection.close()
        except apsw.Error as error:
            raise fault(_ACTION, error) from error

    async def write(self, apply: Callable[[apsw.Connection], _T], *, durable: bool = True, of_mode: bool = False) -> _T:
        """Return the result of `apply`, once its change is committed. See `Writer.write`.

        Raises: InReadOnlyMode, unless the change is one `of_mode` itself, and as the writer.
        """
        self._require_allowed()

        def change(connection: apsw.Connection) -> _T:
            if not of_mode:
                require_writable(connection)
            return apply(connection)

        return await self._writer.write(change, durable=durable)

    def require_writable(self) -> None:
        """Raise InReadOnlyMode in that mode."""
        self._require_allowed()
        require_writable(self._reader)

    def _require_allowed(self) -> None:
        if self._read_only:
            raise InReadOnlyMode(ACTION, BY_SETTING)

    async def execute(self, sql: str, *bindings: Value, durable: bool = True, of_mode: bool = False) -> int:
        """Return the number of rows that one statement changed, once that is committed. See `write`."""

        def change(connection: apsw.Connection) -> int:
            connection.execute(sql, bindings)
            return connection.changes()

        return await self.write(change, durable=durable, of_mode=of_mode)

    async def close(self) -> None:
        """Finish pending writes and close the connections."""
        await self._writer.close()
        self._closed = True
        self._reader.close()


def require_writable(connection: apsw.Connection) -> None:
    """Raise InReadOnlyMode in that mode."""
    for (reason,) in connection.execute(_MODE).fetchall():
        raise InReadOnlyMode(ACTION, str(reason))


def _read_page(
    connection: apsw.Connection, sql: str, bindings: Sequence[Value], size: int, make: Callable[[Row], _T]
) -> tuple[list[_T], bool]:
    made: list[_T] = []
    rows = connection.execute(sql, bindings)
    try:
        for row in cast("Iterable[Row]", rows):
            size -= ROW_SIZE + sum(len(value) for value in row if isinstance(value, str | bytes))
            if made and size < 0:
                return made, True
            made.append(make(row))
    finally:
        rows.close(force=True)  # an unfinished statement would prevent checkpoints of the log
    return made, False
