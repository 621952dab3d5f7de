"""The journal: an event for each change of a tag, and for each deletion and its undoing."""

from collections.abc import Sequence

import apsw

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import Actor, JournalAction, JournalEvent
from simple_registry.storage.sqlite.engine.database import Database, Row

EVENT_COLUMNS = "id, time, action, repository, tag, before, after, identity, credential, request, cause"
_RECORD = """
INSERT INTO journal (time, action, repository, tag, before, after, identity, credential, request, cause)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_AFTER = f"SELECT {EVENT_COLUMNS} FROM journal WHERE id > ? ORDER BY id LIMIT ?"
_BEFORE = f"SELECT {EVENT_COLUMNS} FROM journal WHERE id < ? ORDER BY id DESC LIMIT ?"
_OF_REPOSITORY = f"SELECT {EVENT_COLUMNS} FROM journal WHERE repository = ? AND id < ? ORDER BY id DESC LIMIT ?"
_OF_TAG = f"SELECT {EVENT_COLUMNS} FROM journal WHERE repository = ? AND tag = ? AND id < ? ORDER BY id DESC LIMIT ?"
_FIND = f"SELECT {EVENT_COLUMNS} FROM journal WHERE id = ?"
_LAST = f"SELECT {EVENT_COLUMNS} FROM journal WHERE repository = ? AND tag = ? AND time <= ? ORDER BY id DESC LIMIT 1"
_FIRST = f"SELECT {EVENT_COLUMNS} FROM journal WHERE repository = ? AND tag = ? ORDER BY id LIMIT 1"
_BEGAN = "SELECT value FROM counters WHERE name = 'journal began'"
_OLDEST = "SELECT id, time FROM journal WHERE id > 0 ORDER BY id LIMIT 1"
# Otherwise events of a clock that was ahead would stay, and keep later ones beyond the limit from being removed.
_RESET = """
UPDATE journal SET time = ?2 WHERE time > ?2 AND id IN (SELECT id FROM journal WHERE id > 0 ORDER BY id LIMIT ?1)
"""
_PRUNE = """
DELETE FROM journal
WHERE id IN (SELECT id FROM journal WHERE id > 0 ORDER BY id LIMIT ?2) AND id < (SELECT max(id) FROM journal)
AND (time < ?1 OR (time < ?3 AND id <= (SELECT max(id) FROM journal) - ?4))
"""
_NEWEST = 2**63 - 1
"""An id after all others."""


class SqliteJournalRows:
    """The events of the journal."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page_events(self, after: int, limit: int) -> Sequence[JournalEvent]:
        """Return events of all repositories after an id, the oldest first."""
        return [event_of(row) for row in self._database.rows(_AFTER, after, limit)]

    async def page_history(
        self, repository: RepositoryName | None, tag: Tag | None, before: int | None, limit: int
    ) -> Sequence[JournalEvent]:
        """Return events of a repository or of all, or of one tag of it, before an id, the newest first."""
        bound = _NEWEST if before is None else before
        if repository is None:
            rows = self._database.rows(_BEFORE, bound, limit)
        elif tag is None:
            rows = self._database.rows(_OF_REPOSITORY, repository, bound, limit)
        else:
            rows = self._database.rows(_OF_TAG, repository, tag, bound, limit)
        return [event_of(row) for row in rows]

    async def find_event(self, event: int) -> JournalEvent | None:
        """Return an event."""
        return self._find(_FIND, event)

    async def find_last(self, repository: RepositoryName, tag: Tag, at: float) -> JournalEvent | None:
        """Return the last event of a tag that was not after a time."""
        return self._find(_LAST, repository, tag, at)

    async def find_first(self, repository: RepositoryName, tag: Tag) -> JournalEvent | None:
        """Return the first event of a tag."""
        return self._find(_FIRST, repository, tag)

    def _find(self, sql: str, *bindings: str | float) -> JournalEvent | None:
        row = self._database.row(sql, *bindings)
        return None if row is None else event_of(row)

    async def begins(self) -> float | None:
        """Return the time before which the journal knows nothing, or `None` if it knows all."""
        oldest = self._database.row(_OLDEST)
        if oldest is not None and oldest[0] != 1:
            return float(oldest[1] or 0)
        began = self._database.row(_BEGAN)
        return None if began is None else float(began[0] or 0)

    async def prune(self, before: float, *, limit: int, restorable: float, size: int, future: float) -> int:
        """Remove up to `limit` of the oldest events; return their number. Times after `future` become that time."""

        def prune(connection: apsw.Connection) -> int:
            connection.execute(_RESET, (limit, future))
            connection.execute(_PRUNE, (before, limit, restorable, size))
            return connection.changes()

        return await self._database.write(prune)


def record(
    connection: apsw.Connection,
    now: float,
    actor: Actor,
    action: JournalAction,
    repository: str,
    *,
    tag: Tag | None = None,
    before: Digest | None = None,
    after: Digest | None = None,
    cause: int | None = None,
) -> int:
    """Add an event in the transaction of its change, at this time to the millisecond. Return its id."""
    digests = (None if digest is None else str(digest) for digest in (before, after))
    made_by = (actor.identity, actor.credential, actor.request)
    connection.execute(_RECORD, (round(now, 3), action, repository, tag, *digests, *made_by, cause))
    return connection.last_insert_rowid()


def event_of(row: Row) -> JournalEvent:
    """Return the event from a row of all columns."""
    event, time, action, repository, tag, before, after, identity, credential, request, cause = row
    return JournalEvent(
        id=int(event or 0),
        time=float(time or 0),
        action=JournalAction(str(action)),
        repository=RepositoryName(str(repository)),
        tag=None if tag is None else Tag(str(tag)),
        before=None if before is None else parse_digest(str(before)),
        after=None if after is None else parse_digest(str(after)),
        actor=Actor(str(identity), str(credential), str(request)),
        cause=None if cause is None else int(cause),
    )
