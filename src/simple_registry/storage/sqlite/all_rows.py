"""All rows of one SQLite database, each kind in its own store."""

from simple_registry.clock import Clock
from simple_registry.storage.protocols.rows import Rows
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.blobs import SqliteBlobRows
from simple_registry.storage.sqlite.rows.collections import SqliteCollectionRows
from simple_registry.storage.sqlite.rows.contents import SqliteContentRows
from simple_registry.storage.sqlite.rows.garbage import SqliteGarbageRows
from simple_registry.storage.sqlite.rows.journal import SqliteJournalRows
from simple_registry.storage.sqlite.rows.keepers import SqliteKeeperRows
from simple_registry.storage.sqlite.rows.manifests import SqliteManifestRows
from simple_registry.storage.sqlite.rows.mode import SqliteModeRows
from simple_registry.storage.sqlite.rows.repositories import SqliteRepositoryRows
from simple_registry.storage.sqlite.rows.reviews import SqliteReviewRows
from simple_registry.storage.sqlite.rows.sessions import SqliteSessionRows
from simple_registry.storage.sqlite.rows.tag_times import SqliteTagTimes
from simple_registry.storage.sqlite.rows.tags import SqliteTagRows
from simple_registry.storage.sqlite.rows.tokens import SqliteTokenRows
from simple_registry.storage.sqlite.rows.undo import SqliteUndoRows
from simple_registry.storage.sqlite.rows.usage import Accounts, SqliteUsageRows
from simple_registry.storage.sqlite.rows.web_sessions import SqliteEndedWebSessionRows

_CHECK = "SELECT count(*) FROM (SELECT 1 FROM repositories LIMIT 1)"


def rows_of(database: Database, clock: Clock) -> Rows:
    """Return the rows of `database`; the times in them come from `clock`."""

    def check() -> None:
        database.rows(_CHECK)

    accounts = Accounts()
    return Rows(
        blobs=SqliteBlobRows(database, accounts, clock),
        manifests=SqliteManifestRows(database, accounts, clock),
        tags=SqliteTagRows(database, clock),
        tag_times=SqliteTagTimes(database, clock),
        repositories=SqliteRepositoryRows(database),
        journal=SqliteJournalRows(database),
        undo=SqliteUndoRows(database, accounts, clock),
        sessions=SqliteSessionRows(database),
        tokens=SqliteTokenRows(database),
        web_sessions=SqliteEndedWebSessionRows(database),
        contents=SqliteContentRows(database, clock),
        garbage=SqliteGarbageRows(database, clock),
        collections=SqliteCollectionRows(database),
        reviews=SqliteReviewRows(database, clock),
        keepers=SqliteKeeperRows(database),
        mode=SqliteModeRows(database),
        usage=SqliteUsageRows(database, accounts),
        check=check,
        close=database.close,
    )
