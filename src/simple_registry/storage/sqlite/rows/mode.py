"""The read-only mode, a row that every change of rows looks for; see `engine.database`."""

import apsw

from simple_registry.storage.records import ReadOnlyMode
from simple_registry.storage.sqlite.engine.database import Database

_FIND = "SELECT reason, since FROM read_only WHERE one = 1"
_BEGIN = "INSERT OR REPLACE INTO read_only (one, reason, since) VALUES (1, ?, ?)"
_END = "DELETE FROM read_only WHERE one = 1"
# The time of the mode is no part of any grace: nothing could be restored, renewed or continued.
_POSTPONE = (
    "UPDATE repository_blobs SET since = since + ? WHERE state <> 'needed'",
    "UPDATE manifests SET since = since + ? WHERE state <> 'needed'",
    "UPDATE upload_sessions SET touched = touched + ?",
)


class SqliteModeRows:
    """The row of the read-only mode."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_read_only(self) -> ReadOnlyMode | None:
        """Return the mode if it is on."""
        return self._database.cached("read-only", self._read)

    def _read(self) -> ReadOnlyMode | None:
        row = self._database.row(_FIND)
        return None if row is None else ReadOnlyMode(str(row[0]), float(row[1] or 0))

    async def begin_read_only(self, mode: ReadOnlyMode) -> None:
        """Turn the mode on, or replace its reason and its start."""

        def begin(connection: apsw.Connection) -> None:
            _postpone(connection, mode.since)
            connection.execute(_BEGIN, (mode.reason, mode.since))

        await self._database.write(begin, of_mode=True)

    async def end_read_only(self, now: float) -> bool:
        """Turn the mode off, and postpone by its duration what waits. Return whether it was on."""

        def end(connection: apsw.Connection) -> bool:
            _postpone(connection, now)
            connection.execute(_END)
            return connection.changes() > 0

        return await self._database.write(end, of_mode=True)


def _postpone(connection: apsw.Connection, now: float) -> None:
    for _, since in connection.execute(_FIND).fetchall():
        for statement in _POSTPONE:
            connection.execute(statement, (max(0.0, now - float(since or 0)),))
