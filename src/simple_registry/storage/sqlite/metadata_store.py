"""The metadata store in SQLite: the sum of the modules that each keep one kind of row.

It inherits from them because its protocol is the sum of theirs; they share nothing but the database.
"""

from simple_registry.clock import Clock
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.blobs import SqliteBlobRows
from simple_registry.storage.sqlite.rows.garbage import SqliteGarbageRows
from simple_registry.storage.sqlite.rows.manifests import SqliteManifestRows
from simple_registry.storage.sqlite.rows.repositories import SqliteRepositoryRows
from simple_registry.storage.sqlite.rows.sessions import SqliteSessionRows
from simple_registry.storage.sqlite.rows.tags import SqliteTagRows
from simple_registry.storage.sqlite.rows.tokens import SqliteTokenRows

_CHECK = "SELECT count(*) FROM (SELECT 1 FROM repositories LIMIT 1)"


class SqliteMetadataStore(
    SqliteBlobRows,
    SqliteManifestRows,
    SqliteTagRows,
    SqliteRepositoryRows,
    SqliteSessionRows,
    SqliteTokenRows,
    SqliteGarbageRows,
):
    """All rows, in one database. Build one per process, after forking, in the thread of the event loop."""

    def __init__(self, path: str, clock: Clock, log_reserve: int = 0) -> None:
        """Open the database at `path`, which `migrate` has brought up to date; times come from `clock`.

        Raises: StorageFault.
        """
        self.database = self._database = Database(path, clock, log_reserve)

    def check(self) -> None:
        """Raise StorageFault unless rows can be read."""
        self._database.rows(_CHECK)

    async def close(self) -> None:
        """Finish the writes under way and let go."""
        await self._database.close()
