"""The tags of repositories, in ASCII order, which is how SQLite compares text."""

from collections.abc import Mapping, Sequence

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.protection import TagGuard, refuse_deletions
from simple_registry.storage.records import Actor, JournalAction, TagAbsent, TagProtected, TagRemoved
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.journal import record

_OF_MANIFEST = "SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag"
_PAGE = "SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?"
_POINTED_AT = """
SELECT digest, contents.state = 'whole' FROM tags LEFT JOIN contents USING (digest) WHERE repository = ? AND tag = ?
"""
_POINT = """
INSERT INTO tags (repository, tag, digest, pushed) VALUES (?, ?, ?, ?)
ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest, pushed = excluded.pushed
"""
_REMOVE = "DELETE FROM tags WHERE repository = ? AND tag = ?"


class SqliteTagRows:
    """The tags of repositories."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at this manifest."""
        return [Tag(str(tag)) for (tag,) in self._database.rows(_OF_MANIFEST, repository, str(digest))]

    async def page_tags(self, repository: RepositoryName, after: str | None, limit: int) -> Sequence[Tag]:
        """Return tags in ASCII order after `after`, which need not exist."""
        return [Tag(str(tag)) for (tag,) in self._database.rows(_PAGE, repository, after or "", limit)]

    async def remove_tag(
        self,
        repository: RepositoryName,
        tag: Tag,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
    ) -> TagRemoved | TagAbsent | PreconditionUnmet | TagProtected:
        """Remove this tag if it exists, the precondition holds, and `guard` does not keep it."""

        def remove(connection: apsw.Connection) -> TagRemoved | TagAbsent | PreconditionUnmet | TagProtected:
            digest, visible = target_of(connection, repository, tag)
            if digest is None:
                return TagAbsent()
            if not precondition.holds(visible):
                return PreconditionUnmet(tag, visible)
            refusal = refuse_deletions(guard, (tag,))
            if refusal is not None:
                return refusal
            drop_tag(connection, repository, tag, digest, self._clock.now(), actor=actor)
            return TagRemoved(digest)

        return await self._database.write(remove)


def target_of(connection: apsw.Connection, repository: str, tag: Tag) -> tuple[Digest | None, Digest | None]:
    """Return the target of a tag, and the target that clients see: `None` while the manifest is damaged."""
    found = connection.execute(_POINTED_AT, (repository, tag)).fetchall()
    if not found:
        return None, None
    digest = parse_digest(str(found[0][0]))
    return digest, digest if found[0][1] else None


def drop_tag(
    connection: apsw.Connection, repository: str, tag: Tag, digest: Digest, now: float, *, actor: Actor
) -> None:
    """Remove a tag that points at this manifest, as an event of the journal."""
    connection.execute(_REMOVE, (repository, tag))
    record(connection, now, actor, JournalAction.TAG_DELETE, repository, tag=tag, before=digest)


def point_tags(
    connection: apsw.Connection,
    repository: str,
    digest: Digest,
    targets: Mapping[Tag, Digest | None],
    now: float,
    *,
    actor: Actor,
    action: JournalAction,
    cause: int | None = None,
) -> None:
    """Point tags, given with their targets until now, at a manifest; those that change are events of the journal."""
    for tag, before in targets.items():
        connection.execute(_POINT, (repository, tag, str(digest), now))
        if before != digest:
            record(connection, now, actor, action, repository, tag=tag, before=before, after=digest, cause=cause)
