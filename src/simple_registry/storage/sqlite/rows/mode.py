"""The read-only mode, a row that every change of rows looks for; see `engine.database`."""

from simple_registry.storage.records import ReadOnlyMode
from simple_registry.storage.sqlite.engine.database import Database

_FIND = "SELECT reason, since FROM read_only WHERE one = 1"
_BEGIN = "INSERT OR REPLACE INTO read_only (one, reason, since) VALUES (1, ?, ?)"
_END = "DELETE FROM read_only WHERE one = 1"


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
        await self._database.execute(_BEGIN, mode.reason, mode.since, of_mode=True)

    async def end_read_only(self) -> bool:
        """Turn the mode off. Return whether it was on."""
        return await self._database.execute(_END, of_mode=True) > 0
