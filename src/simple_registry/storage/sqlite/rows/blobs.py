"""The rows of blobs."""

from collections.abc import Sequence

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
    BlobAbsent,
    BlobAdded,
    BlobRemoved,
    ContentRecord,
    ContentRemoved,
    JournalAction,
    StillNeeded,
    StoredBlob,
)
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.holding import (
    apply_event,
    hold_blob,
    holding_of,
    is_needed,
    place_content,
    record_of,
    refuse_content,
    require_content,
    still_needed,
)
from simple_registry.storage.sqlite.rows.journal import record
from simple_registry.storage.sqlite.rows.usage import Accounts

_FIND = """
SELECT digest, size, place, version, held.state, held.since, held.extended, stamp
FROM repository_blobs AS held JOIN contents USING (digest)
WHERE repository = ? AND digest = ? AND held.state <> 'deleted' AND contents.state = 'whole'
"""
_HELD = """
SELECT contents.state = 'whole' FROM repository_blobs AS held LEFT JOIN contents USING (digest)
WHERE repository = ? AND digest = ? AND held.state <> 'deleted'
"""
_HOLDERS = """
SELECT repository FROM repository_blobs
WHERE digest = ? AND repository > ? AND state <> 'deleted'
ORDER BY repository LIMIT ?
"""
_END_SESSION = "DELETE FROM upload_sessions WHERE session = ?"


class SqliteBlobRows:
    """The blobs of repositories."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob if this repository holds it, not deleted, and its content is whole."""
        return self._database.cached(("blob", repository, digest), lambda: self._read_blob(repository, digest))

    def _read_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        row = self._database.row(_FIND, repository, str(digest))
        if row is None:
            return None
        return StoredBlob(record_of(row[:4], row[7]), holding_of(row[4:7]))

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold this blob, ordered by name, after `after`."""
        rows = self._database.rows(_HOLDERS, str(digest), after or "", limit)
        return [RepositoryName(str(name)) for (name,) in rows]

    async def add_blob(
        self,
        repository: RepositoryName,
        content: ContentRecord,
        *,
        removals: int,
        actor: Actor,
        session: str | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> BlobAdded | ContentRemoved | OverQuota:
        """Make the repository, created if absent, hold a blob whose bytes were placed, and remove the session's row."""

        def add(connection: apsw.Connection) -> BlobAdded | ContentRemoved | OverQuota:
            removed = require_content(connection, content.digest, removals, placed=True)
            if removed is not None:
                return removed
            outcome = self._accounts.within(connection, allowances, lambda: hold(connection))
            if isinstance(outcome, OverQuota):
                refuse_content(connection, content)
            return outcome

        def hold(connection: apsw.Connection) -> BlobAdded:
            now = self._clock.now()
            surplus = place_content(connection, content, now)
            hold_blob(connection, repository, content.digest, now, actor.identity)
            if session is not None:
                connection.execute(_END_SESSION, (session,))
            return BlobAdded(surplus)

        self._accounts.prepare(self._database, allowances)
        return await self._database.write(add)

    async def mount_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName,
        *,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord | OverQuota | None:
        """Make the repository hold a blob of `source`."""

        def mount(connection: apsw.Connection) -> ContentRecord | None:
            rows = connection.execute(_FIND, (source, str(digest))).fetchall()
            if not rows:
                return None
            hold_blob(connection, repository, digest, self._clock.now(), actor.identity)
            return record_of(rows[0][:4])

        self._accounts.prepare(self._database, allowances)
        return await self._database.write(
            lambda connection: self._accounts.within(connection, allowances, lambda: mount(connection))
        )

    async def renew_blob(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event to a holding. Return whether it changed anything."""

        def renew(connection: apsw.Connection) -> bool:
            digests, now = f'["{digest}"]', self._clock.now()
            changed = apply_event(connection, event, repository, digests, now)
            if changed and is_needed(connection, repository, digest):
                apply_event(connection, HoldingEvent.KEPT, repository, digests, now)
            return changed

        return await self._database.write(renew, durable=False)

    async def remove_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        unless_needed: bool = False,
    ) -> BlobRemoved | BlobAbsent | PreconditionUnmet | StillNeeded:
        """Delete the blob from the repository if the precondition holds."""

        def remove(connection: apsw.Connection) -> BlobRemoved | BlobAbsent | PreconditionUnmet | StillNeeded:
            held = connection.execute(_HELD, (repository, str(digest))).fetchall()
            if not held:
                return BlobAbsent()
            visible = digest if held[0][0] else None
            if not precondition.holds(visible):
                return PreconditionUnmet(digest, visible)
            needed = still_needed(connection, repository, digest) if unless_needed else None
            if needed is not None:
                return needed
            now = self._clock.now()
            apply_event(connection, HoldingEvent.DELETED, repository, f'["{digest}"]', now)
            record(connection, now, actor, JournalAction.BLOB_DELETE, repository, before=digest)
            return BlobRemoved()

        return await self._database.write(remove)
