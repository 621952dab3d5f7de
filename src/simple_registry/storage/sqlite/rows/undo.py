"""Deletions of repositories, and what undoes deletions and moves."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.protection import TagGuard, refuse_deletions, refuse_moves
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
    JournalAction,
    JournalEvent,
    ManifestGone,
    RepositoryAbsent,
    RepositoryRemoved,
    Restored,
    TagPointed,
    TagProtected,
    TagsChanged,
)
from simple_registry.storage.sqlite.engine.database import Database, Value
from simple_registry.storage.sqlite.rows.holding import apply_event, apply_to_manifests
from simple_registry.storage.sqlite.rows.journal import EVENT_COLUMNS, event_of, record
from simple_registry.storage.sqlite.rows.needs import restore_manifests
from simple_registry.storage.sqlite.rows.tags import point_tags, target_of
from simple_registry.storage.sqlite.rows.usage import Accounts

_DELETION_OF_MANIFEST = f"""
SELECT {EVENT_COLUMNS} FROM journal
WHERE repository = ? AND before = ? AND tag IS NULL AND action = 'manifest.delete' ORDER BY id DESC LIMIT 1
"""
_DELETION_OF_REPOSITORY = f"""
SELECT {EVENT_COLUMNS} FROM journal WHERE repository = ? AND action = 'repository.delete' ORDER BY id DESC LIMIT 1
"""
_PARTS_OF = f"SELECT {EVENT_COLUMNS} FROM journal WHERE cause = ? ORDER BY id"
# What can be restored: held, whole, and with no part whose content is known to be damaged or gone.
_RESTORABLE = """
SELECT digest, held.state = 'deleted' FROM manifests AS held JOIN contents USING (digest)
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2)) AND contents.state = 'whole' AND NOT EXISTS (
    SELECT 1 FROM manifest_children AS part JOIN contents AS broken ON broken.digest = part.child
    WHERE part.repository = ?1 AND part.digest = held.digest AND broken.state <> 'whole'
)
"""
_LATER = "SELECT 1 FROM journal WHERE repository = ? AND tag = ? AND id > ? LIMIT 1"
_TARGETED = "SELECT 1 FROM journal WHERE repository = ?1 AND tag = ?2 AND ?3 IN (before, after) LIMIT 1"
_TAGS = "SELECT tag, digest FROM tags WHERE repository = ? ORDER BY tag"
_MANIFESTS = "SELECT digest FROM manifests WHERE repository = ? AND state <> 'deleted' ORDER BY digest"
_BLOBS = "SELECT digest FROM repository_blobs WHERE repository = ? AND state <> 'deleted'"
_BLOBS_DELETED_SINCE = "SELECT digest FROM repository_blobs WHERE repository = ? AND state = 'deleted' AND since >= ?"
# By the journal: the time of a holding's state begins anew with the grace, as after a backup was restored.
_DELETED_LATER = """
SELECT before FROM journal
WHERE repository = ?1 AND id > ?2 AND cause IS NOT ?2 AND action IN ('manifest.delete', 'blob.delete')
"""
_REMOVE_TAGS = "DELETE FROM tags WHERE repository = ?"


class SqliteUndoRows:
    """Deletions of repositories, and what undoes deletions and moves."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock

    async def find_deletion(self, repository: RepositoryName, digest: Digest | None) -> JournalEvent | None:
        """Return the last deletion of a manifest of a repository, or of the repository."""
        if digest is None:
            row = self._database.row(_DELETION_OF_REPOSITORY, repository)
        else:
            row = self._database.row(_DELETION_OF_MANIFEST, repository, str(digest))
        return None if row is None else event_of(row)

    async def find_parts_of(self, event: JournalEvent) -> Sequence[JournalEvent]:
        """Return the events that are part of an event, in order. There may be many: they are read in a thread."""
        return await self._database.in_thread(
            lambda connection: [event_of(row) for row in connection.execute(_PARTS_OF, (event.id,)).fetchall()]
        )

    async def was_target(self, repository: RepositoryName, tag: Tag, digest: Digest) -> bool:
        """Return whether an event of a tag says that it pointed at a manifest. The events are read in a thread."""
        found = await self._database.in_thread(
            lambda connection: _rows(connection, _TARGETED, repository, tag, str(digest))
        )
        return bool(found)

    async def point_tag(
        self,
        repository: RepositoryName,
        tag: Tag,
        digest: Digest,
        *,
        action: JournalAction,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
        last: int | None = None,
    ) -> TagPointed | ManifestGone | PreconditionUnmet | TagProtected | TagsChanged | OverQuota:
        """Point a tag at a manifest, restored if it was deleted, or change nothing."""

        def point(
            connection: apsw.Connection,
        ) -> TagPointed | ManifestGone | PreconditionUnmet | TagProtected | TagsChanged | OverQuota:
            if last is not None and _rows(connection, _LATER, repository, tag, last):
                return TagsChanged()
            before, visible = target_of(connection, repository, tag)
            if not precondition.holds(visible):
                return PreconditionUnmet(tag, visible)
            refusal = refuse_moves(guard, [(tag, before)], digest)
            if refusal is not None:
                return refusal
            if not _rows(connection, _RESTORABLE, repository, _array([digest])):
                return ManifestGone()
            return self._accounts.within(connection, allowances, lambda: hold(connection, before))

        def hold(connection: apsw.Connection, before: Digest | None) -> TagPointed:
            now = self._clock.now()
            restored = restore_manifests(connection, repository, [str(digest)], now)
            cause = _record_restored(connection, repository, restored, now, actor=actor)
            point_tags(connection, repository, digest, {tag: before}, now, actor=actor, action=action, cause=cause)
            return TagPointed(before)

        self._accounts.prepare(self._database, allowances)
        return await self._database.write(point)

    async def restore(
        self,
        repository: RepositoryName,
        manifests: Sequence[Digest],
        tags: Mapping[Tag, Digest],
        *,
        deletion: JournalEvent,
        actor: Actor,
    ) -> Restored:
        """Restore those of the manifests that the deletion deleted, and those of the tags that do not exist."""
        whole_repository = deletion.action is JournalAction.REPOSITORY_DELETE

        def restore(connection: apsw.Connection) -> Restored:
            later = {*_texts(connection, _DELETED_LATER, repository, deletion.id)}
            held = {
                str(digest): bool(deleted)
                for digest, deleted in _rows(connection, _RESTORABLE, repository, _array(manifests))
            }
            found = {str(digest) for digest in manifests if held.get(str(digest)) and str(digest) not in later}
            gone = tuple(each for each in manifests if held.get(str(each), True) and str(each) not in found)
            deleted = _texts(connection, _BLOBS_DELETED_SINCE, repository, deletion.time) if whole_repository else []
            blobs = [digest for digest in deleted if digest not in later]
            if not found and (gone or not blobs):
                return Restored(gone=gone)
            now, cause = self._clock.now(), None
            if whole_repository:
                cause = record(connection, now, actor, JournalAction.REPOSITORY_RESTORE, repository)
                apply_event(connection, HoldingEvent.RESTORED, repository, _array(blobs), now)
            restored = restore_manifests(connection, repository, sorted(found), now)
            cause = _record_restored(connection, repository, restored, now, actor=actor, cause=cause)
            lost = set(gone)
            wanted = {tag: digest for tag, digest in tags.items() if digest not in lost}
            targets = {tag: target_of(connection, repository, tag)[0] for tag in sorted(wanted)}
            pointed = [tag for tag, target in targets.items() if target is None]
            action = JournalAction.TAG_RESTORE
            for tag in pointed:
                digest = wanted[tag]
                point_tags(connection, repository, digest, {tag: None}, now, actor=actor, action=action, cause=cause)
            elsewhere = [tag for tag, target in targets.items() if target not in {None, wanted[tag]}]
            return Restored(restored, tuple(pointed), tuple(elsewhere), gone)

        return await self._database.write(restore)

    async def remove_repository(
        self, repository: RepositoryName, *, tags: Sequence[Tag], actor: Actor, guard: TagGuard | None = None
    ) -> RepositoryRemoved | RepositoryAbsent | TagsChanged | TagProtected:
        """Delete all manifests and blobs of the repository, and remove `tags`, which must be all its tags."""

        def remove(connection: apsw.Connection) -> RepositoryRemoved | RepositoryAbsent | TagsChanged | TagProtected:
            targets = {Tag(str(tag)): parse_digest(str(digest)) for tag, digest in _rows(connection, _TAGS, repository)}
            manifests = _texts(connection, _MANIFESTS, repository)
            blobs = _texts(connection, _BLOBS, repository)
            if not manifests and not blobs:
                return RepositoryAbsent()
            if targets.keys() != set(tags):
                return TagsChanged()
            refusal = refuse_deletions(guard, targets)
            if refusal is not None:
                return refusal
            now = round(self._clock.now(), 3)  # that of the event: so the blobs are found again when it is undone
            event = record(connection, now, actor, JournalAction.REPOSITORY_DELETE, repository)
            for tag, digest in targets.items():
                record(
                    connection, now, actor, JournalAction.TAG_DELETE, repository, tag=tag, before=digest, cause=event
                )
            for each in manifests:
                deleted = parse_digest(each)
                record(connection, now, actor, JournalAction.MANIFEST_DELETE, repository, before=deleted, cause=event)
            connection.execute(_REMOVE_TAGS, (repository,))
            apply_to_manifests(connection, HoldingEvent.DELETED, repository, _array(manifests), now)
            apply_event(connection, HoldingEvent.DELETED, repository, _array(blobs), now)
            return RepositoryRemoved(len(manifests))

        return await self._database.write(remove)


def _record_restored(
    connection: apsw.Connection,
    repository: str,
    restored: Sequence[Digest],
    now: float,
    *,
    actor: Actor,
    cause: int | None = None,
) -> int | None:
    """Record the manifests that were restored, as parts of an event or of the first. Return the id of the cause."""
    for digest in restored:
        action = JournalAction.MANIFEST_RESTORE
        event = record(connection, now, actor, action, repository, after=digest, cause=cause)
        cause = cause or event
    return cause


def _rows(connection: apsw.Connection, sql: str, *bindings: Value) -> Sequence[tuple[Value, ...]]:
    return connection.execute(sql, bindings).fetchall()


def _texts(connection: apsw.Connection, sql: str, *bindings: Value) -> Sequence[str]:
    return [str(text) for (text,) in _rows(connection, sql, *bindings)]


def _array(texts: Sequence[object]) -> str:
    return msgspec.json.encode([str(text) for text in texts]).decode()
