"""Purging content from rows: nothing waits for a grace, and the freed space of the database is overwritten."""

from collections.abc import Sequence

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.purging import NeededBy, PurgedFrom, RowsPurged
from simple_registry.storage.records import Actor, ContentRecord, JournalAction
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.garbage import END_BLOB, END_MANIFEST, END_REPOSITORY
from simple_registry.storage.sqlite.rows.holding import (
    apply_to_manifests,
    refuse_content,
    release_content,
    still_needed,
)
from simple_registry.storage.sqlite.rows.journal import record
from simple_registry.storage.sqlite.rows.needs import release_parts

_HOLDERS = """
SELECT repository FROM manifests WHERE digest = ?1 UNION SELECT repository FROM repository_blobs WHERE digest = ?1
"""
# No index has the digests of the journal. This reads all of it, in the order of the file.
_KNOWN = "SELECT repository FROM journal NOT INDEXED WHERE ?1 IN (before, after)"
_KNOWN_IN = """
SELECT EXISTS (SELECT 1 FROM journal WHERE repository = ?1 AND ?2 IN (before, after))
    OR EXISTS (SELECT 1 FROM manifests WHERE repository = ?1 AND digest = ?2)
    OR EXISTS (SELECT 1 FROM repository_blobs WHERE repository = ?1 AND digest = ?2)
"""
# Deleted manifests that refer to the content, and deleted indexes that refer to these.
_FINAL = """
WITH RECURSIVE above (digest) AS (
    SELECT ?2
    UNION
    SELECT held.digest FROM above
    CROSS JOIN manifest_children AS part ON part.repository = ?1 AND part.child = above.digest
    CROSS JOIN manifests AS held ON held.repository = ?1 AND held.digest = part.digest AND held.state = 'deleted'
)
SELECT digest FROM above WHERE digest <> ?2
"""
_TAGS = "DELETE FROM tags WHERE repository = ? AND digest = ? RETURNING tag"
_IS_MANIFEST = "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?"
_FORGET_BEFORE = "UPDATE journal SET before = NULL WHERE repository = ? AND before = ?"
_FORGET_AFTER = "UPDATE journal SET after = NULL WHERE repository = ? AND after = ?"


class SqlitePurgeRows:
    """The rows of one content, and their removal."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def purge(
        self, digest: Digest, repository: RepositoryName | None, *, force: bool, actor: Actor
    ) -> RowsPurged | NeededBy:
        """End the holdings of content in a repository, or in all, at once, and remove its digest from their journal."""

        def purge(connection: apsw.Connection) -> RowsPurged | NeededBy:
            # Annotations of manifests are in rows, too. Without this, SQLite leaves the bytes of removed rows in place.
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            repositories = _known(connection, digest, repository)
            for name in () if force else repositories:
                needed = still_needed(connection, name, digest)
                if needed is not None:
                    return NeededBy(name, needed.by)
            now = self._clock.now()
            purged = tuple(_purge(connection, name, digest, now, actor) for name in repositories)
            release_content(connection, [str(digest)])
            holders = tuple(RepositoryName(name) for name in _texts(connection, _HOLDERS, str(digest)))
            if purged and not holders:
                refuse_content(connection, ContentRecord(digest, 0))  # a file without a row is removed, too
            return RowsPurged(purged, holders)

        return await self._database.write(purge)


def _known(connection: apsw.Connection, digest: Digest, repository: RepositoryName | None) -> Sequence[RepositoryName]:
    """Return the repositories, or whether it is this one, that hold the content or have it in their journal."""
    if repository is None:
        names = {name for sql in (_HOLDERS, _KNOWN) for name in _texts(connection, sql, str(digest))}
        return [RepositoryName(name) for name in sorted(names)]
    return [repository] if connection.execute(_KNOWN_IN, (repository, str(digest))).fetchall()[0][0] else []


def _purge(
    connection: apsw.Connection, repository: RepositoryName, digest: Digest, now: float, actor: Actor
) -> PurgedFrom:
    cause = record(connection, now, actor, JournalAction.CONTENT_PURGE, repository)
    final = tuple(parse_digest(each) for each in sorted(_texts(connection, _FINAL, repository, str(digest))))
    tags = tuple(Tag(tag) for tag in sorted(_texts(connection, _TAGS, repository, str(digest))))
    for tag in tags:
        record(connection, now, actor, JournalAction.TAG_DELETE, repository, tag=tag, cause=cause)
    for each in (digest, *final):
        if _texts(connection, _IS_MANIFEST, repository, str(each)):
            _end_manifest(connection, repository, each, now)
    connection.execute(END_BLOB, (repository, str(digest)))
    connection.execute(END_REPOSITORY, (repository,))
    release_content(connection, [str(each) for each in final])
    for forget in (_FORGET_BEFORE, _FORGET_AFTER):
        connection.execute(forget, (repository, str(digest)))
    return PurgedFrom(repository, tags, final)


def _end_manifest(connection: apsw.Connection, repository: str, digest: Digest, now: float) -> None:
    listed = msgspec.json.encode([str(digest)]).decode()
    apply_to_manifests(connection, HoldingEvent.DELETED, repository, listed, now)
    release_parts(connection, repository, digest, now)
    connection.execute(END_MANIFEST, (repository, str(digest)))


def _texts(connection: apsw.Connection, sql: str, *bindings: str | None) -> Sequence[str]:
    return [str(text) for (text,) in connection.execute(sql, bindings).fetchall()]
