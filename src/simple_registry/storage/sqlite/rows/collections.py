"""The last collection of each origin."""

from collections.abc import Sequence

from simple_registry.storage.records import CollectionRow, Origin, Space
from simple_registry.storage.sqlite.engine.database import Database, Row

_KEEP = """
INSERT OR REPLACE INTO collections
(origin, started, ended, complete, unneeded, manifests, blobs, early, contents, bytes)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_ALL = """
SELECT origin, started, ended, complete, unneeded, manifests, blobs, early, contents, bytes FROM collections
ORDER BY ended DESC, origin
"""


class SqliteCollectionRows:
    """The rows of the last collections."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep_collection(self, row: CollectionRow) -> None:
        """Keep a collection instead of the last one of its origin. A power cut may undo that."""
        numbers = (row.unneeded, row.manifests, row.blobs, row.early, row.removed.count, row.removed.size)
        await self._database.execute(
            _KEEP, row.origin, row.started, row.ended, int(row.complete), *numbers, durable=False
        )

    async def last_collections(self) -> Sequence[CollectionRow]:
        """Return the last collection of each origin, the newest first."""
        return [_collection(row) for row in self._database.rows(_ALL)]


def _collection(row: Row) -> CollectionRow:
    origin, started, ended, complete, *numbers = row
    unneeded, manifests, blobs, early, contents, size = (int(number or 0) for number in numbers)
    times = float(started or 0), float(ended or 0)
    removed = Space(contents, size)
    return CollectionRow(Origin(str(origin)), *times, bool(complete), unneeded, manifests, blobs, early, removed)
