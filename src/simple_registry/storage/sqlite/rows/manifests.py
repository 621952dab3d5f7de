"""The manifests of repositories, their parts and their referrers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import HOLDINGS, HoldingEvent, HoldingState
from simple_registry.storage.protection import TagGuard, refuse_deletions, refuse_moves
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    FoundParts,
    JournalAction,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    Part,
    PartsUnmet,
    Place,
    StillNeeded,
    StoredManifest,
    TagProtected,
    TagsChanged,
    UnmetPart,
)
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.holding import (
    ADD_REPOSITORY,
    REFERRING,
    apply_to_manifests,
    holding_of,
    place_content,
    record_of,
    refuse_content,
    require_content,
    still_needed,
    take_over,
)
from simple_registry.storage.sqlite.rows.journal import record
from simple_registry.storage.sqlite.rows.needs import keep_manifests, prolong_manifest, release_parts
from simple_registry.storage.sqlite.rows.tags import point_tags, target_of
from simple_registry.storage.sqlite.rows.usage import Accounts

_FIND = """
SELECT digest, size, media_type, place, version, held.state, held.since, held.extended
FROM manifests AS held JOIN contents USING (digest)
WHERE repository = ? AND digest = ? AND held.state <> 'deleted' AND contents.state = 'whole'
"""
# A deleted manifest has no tags.
_FIND_TAGGED = """
SELECT digest, size, media_type, place, version, held.state, held.since, held.extended
FROM tags JOIN manifests AS held USING (repository, digest) JOIN contents USING (digest)
WHERE repository = ? AND tag = ? AND contents.state = 'whole'
"""

# The digests come as one JSON array, so that the statement is the same for any number of them.
_FIND_PARTS = """
SELECT digest, size, place, version, stamp, 1 FROM repository_blobs AS held JOIN contents USING (digest)
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
AND held.state <> 'deleted' AND contents.state = 'whole'
UNION ALL
SELECT digest, size, place, version, stamp, 0 FROM manifests AS held JOIN contents USING (digest)
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
AND held.state <> 'deleted' AND contents.state = 'whole'
"""

_TOTAL_SIZE = """
WITH RECURSIVE below (digest) AS (
    VALUES (?2)
    UNION SELECT child FROM below JOIN manifest_children AS part ON part.repository = ?1 AND part.digest = below.digest
    LIMIT ?3 + 1
)
SELECT count(*), coalesce(sum(size), 0) FROM below LEFT JOIN contents USING (digest)
"""

PARTS_PER_QUERY = 1000
"""Parts looked up in one query."""

MAX_INLINE_PARTS = 64
"""Parts that are looked up on the event loop; an image has fewer, an index may have many thousands."""

_PUT = """
INSERT INTO manifests (repository, digest, state, pushed, owner, media_type, artifact_type, subject, annotations)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, digest) DO UPDATE SET
    owner = iif(counted, owner, excluded.owner),
    state = excluded.state,
    pushed = excluded.pushed,
    media_type = excluded.media_type,
    artifact_type = excluded.artifact_type,
    subject = excluded.subject,
    annotations = excluded.annotations
"""
_STATE = """
SELECT state, (SELECT count(*) FROM manifest_children WHERE repository = ?1 AND digest = ?2)
FROM manifests WHERE repository = ?1 AND digest = ?2
"""
_DROP_CHILDREN = "DELETE FROM manifest_children WHERE repository = ? AND digest = ?"
_ADD_CHILD = "INSERT INTO manifest_children (repository, digest, position, child) VALUES (?, ?, ?, ?)"
_HELD = """
SELECT contents.state = 'whole' FROM manifests AS held LEFT JOIN contents USING (digest)
WHERE repository = ? AND digest = ? AND held.state <> 'deleted'
"""
_TAGS = "SELECT tag FROM tags WHERE repository = ? AND digest = ?"
_REMOVE_TAGS = "DELETE FROM tags WHERE repository = ? AND digest = ?"

# A manifest is kept by itself, whatever its state was before.
_KEPT = HOLDINGS[HOLDINGS[HoldingState.ABSENT][HoldingEvent.NAMED]][HoldingEvent.KEPT]

# The indexes are named because the planner prefers to scan the whole repository, which is ordered by digest, too.
_ALL_REFERRERS = """
SELECT media_type, digest, size, artifact_type, CAST(annotations AS BLOB)
FROM manifests AS held INDEXED BY manifests_referrers JOIN contents USING (digest)
WHERE repository = ? AND subject = ? AND held.state <> 'deleted' AND digest > ? AND contents.state = 'whole'
ORDER BY digest
"""
_REFERRERS_BY_TYPE = """
SELECT media_type, digest, size, artifact_type, CAST(annotations AS BLOB)
FROM manifests AS held INDEXED BY manifests_referrers_by_type JOIN contents USING (digest)
WHERE repository = ? AND subject = ? AND held.state <> 'deleted' AND artifact_type = ? AND digest > ?
AND contents.state = 'whole'
ORDER BY digest
"""


class SqliteManifestRows:
    """The manifests of repositories."""

    def __init__(self, database: Database, accounts: Accounts, clock: Clock) -> None:
        self._database = database
        self._accounts = accounts
        self._clock = clock

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it."""
        return self._database.cached(
            ("manifest", repository, digest), lambda: self._read(_FIND, repository, str(digest))
        )

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at; both are read in one transaction."""
        return self._database.cached(("tagged", repository, tag), lambda: self._read(_FIND_TAGGED, repository, tag))

    def _read(self, sql: str, repository: RepositoryName, reference: str) -> StoredManifest | None:
        row = self._database.row(sql, repository, reference)
        if row is None:
            return None
        digest, size, media_type, place, version = row[:5]
        return StoredManifest(
            parse_digest(str(digest)),
            int(size or 0),
            str(media_type),
            Place(str(place)),
            int(version or 0),
            holding_of(row[5:]),
        )

    async def find_parts(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> FoundParts:
        """Return the parts that the repository holds, and those that it does not hold as described."""
        if len(parts) <= MAX_INLINE_PARTS:
            return _find_parts(lambda sql, bindings: self._database.rows(sql, *bindings), repository, parts)
        return await self._database.in_thread(lambda connection: _find_parts(connection.execute, repository, parts))

    async def find_referring(self, repository: RepositoryName, digest: Digest) -> Digest | None:
        """Return a manifest of the repository, not deleted, that refers to this content, if there is one."""
        rows = self._database.rows(REFERRING, repository, str(digest))
        return parse_digest(str(rows[0][0])) if rows else None

    async def total_size(self, repository: RepositoryName, digest: Digest, limit: int) -> int | None:
        """Return the bytes of a manifest and of all below it; `None` for more than `limit` contents."""
        ((count, size),) = await self._database.in_thread(
            lambda connection: connection.execute(_TOTAL_SIZE, (repository, str(digest), limit)).fetchall()
        )
        return int(size or 0) if int(count or 0) <= limit else None

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        place: Place | None,
        stamp: str = "",
        removals: int,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | ContentRemoved | OverQuota:
        """Make the repository hold the manifest, and point `tags` at it, or change nothing. Repeatable."""
        content = None if place is None else ContentRecord(manifest.digest, manifest.size, place, stamp=stamp)

        def put(
            connection: apsw.Connection,
        ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | ContentRemoved | OverQuota:
            removed = require_content(connection, manifest.digest, removals, placed=place is not None)
            if removed is not None:
                return removed
            targets = {tag: target_of(connection, repository, tag) for tag in tags}
            visible: list[tuple[Reference, Digest | None]] = [(tag, target) for tag, (_, target) in targets.items()]
            if not tags:
                visible = [(manifest.digest, _held(connection, repository, manifest.digest)[1])]
            before = {tag: target for tag, (target, _) in targets.items()}
            outcome: ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | OverQuota | None
            outcome = (
                precondition.unmet(visible)
                or refuse_moves(guard, before.items(), manifest.digest)
                or _parts_unmet(connection, repository, parts)
            )
            if outcome is None:
                outcome = self._accounts.within(connection, allowances, lambda: hold(connection, before))
            if content is not None and not isinstance(outcome, ManifestStored):
                refuse_content(connection, content)
            return outcome

        def hold(connection: apsw.Connection, before: Mapping[Tag, Digest | None]) -> ManifestStored:
            now, action = self._clock.now(), JournalAction.TAG_SET
            surplus = None if content is None else place_content(connection, content, now)
            hold_manifest(connection, repository, manifest, now, actor.identity)
            point_tags(connection, repository, manifest.digest, before, now, actor=actor, action=action)
            return ManifestStored(before, surplus)

        self._accounts.prepare(self._database, allowances)
        return await self._database.write(put)

    async def remove_manifest(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        tags: Sequence[Tag],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        unless_needed: bool = False,
    ) -> ManifestRemoved | ManifestAbsent | PreconditionUnmet | TagProtected | StillNeeded | TagsChanged:
        """Delete the manifest from the repository, and remove `tags`, which must be all tags that point at it."""

        def remove(
            connection: apsw.Connection,
        ) -> ManifestRemoved | ManifestAbsent | PreconditionUnmet | TagProtected | StillNeeded | TagsChanged:
            names = (repository, str(digest))
            held, visible = _held(connection, repository, digest)
            if held is None:
                return ManifestAbsent()
            if not precondition.holds(visible):
                return PreconditionUnmet(digest, visible)
            if {tag for (tag,) in connection.execute(_TAGS, names).fetchall()} != set(tags):
                return TagsChanged()
            refusal = refuse_deletions(guard, tags)
            if refusal is not None:
                return refusal
            needed = still_needed(connection, repository, digest) if unless_needed else None
            if needed is not None:
                return needed
            now = self._clock.now()
            connection.execute(_REMOVE_TAGS, names)
            apply_to_manifests(connection, HoldingEvent.DELETED, repository, f'["{digest}"]', now)
            release_parts(connection, repository, digest, now)
            event = record(connection, now, actor, JournalAction.MANIFEST_DELETE, repository, before=digest)
            for tag in sorted(set(tags)):
                action = JournalAction.TAG_DELETE
                record(connection, now, actor, action, repository, tag=tag, before=digest, cause=event)
            return ManifestRemoved()

        return await self._database.write(remove)

    async def renew_manifest(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event to an unneeded manifest and all that ends with it. Return whether it changed anything."""
        now = self._clock.now()
        return await self._database.write(
            lambda connection: prolong_manifest(connection, event, repository, digest, now), durable=False
        )

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests with this subject, of about `size` bytes, ordered by digest, and whether more follow."""
        which = () if artifact_type is None else (artifact_type,)
        return await self._database.page(
            _ALL_REFERRERS if artifact_type is None else _REFERRERS_BY_TYPE,
            (repository, str(subject), *which, "" if after is None else str(after)),
            size=size,
            make=_referrer,
        )


def _held(connection: apsw.Connection, repository: str, digest: Digest) -> tuple[Digest | None, Digest | None]:
    """Return the digest of a held manifest, and the digest that clients see: `None` while the manifest is damaged."""
    found = connection.execute(_HELD, (repository, str(digest))).fetchall()
    return digest if found else None, digest if found and found[0][0] else None


def _parts_unmet(connection: apsw.Connection, repository: str, parts: Sequence[DescribedPart]) -> PartsUnmet | None:
    unmet = _find_parts(connection.execute, repository, parts).unmet
    return PartsUnmet(unmet) if unmet else None


def _find_parts(
    query: Callable[[str, tuple[str, str]], Iterable[Row]], repository: str, parts: Sequence[DescribedPart]
) -> FoundParts:
    """Return the content of held parts, and the parts that are not held as described."""
    contents: list[ContentRecord] = []
    unmet: list[UnmetPart] = []
    for start in range(0, len(parts), PARTS_PER_QUERY):
        batch = parts[start : start + PARTS_PER_QUERY]
        texts = msgspec.json.encode([str(each.content.digest) for each in batch]).decode()
        held: dict[Part, dict[Digest, ContentRecord]] = {Part.BLOB: {}, Part.CHILD: {}}
        for row in query(_FIND_PARTS, (repository, texts)):
            record = record_of(row[:4], row[4])
            held[Part.CHILD][record.digest] = record
            if row[5]:
                held[Part.BLOB][record.digest] = record
        contents += held[Part.CHILD].values()
        for each in batch:
            described = each.content
            found = held[each.part].get(described.digest)
            if found is None and each.required:
                unmet.append(UnmetPart(described, None))
            elif found is not None and found.size != described.size:
                unmet.append(UnmetPart(described, found.size))
    return FoundParts(contents, unmet)


def hold_manifest(connection: apsw.Connection, repository: str, manifest: ManifestRow, now: float, owner: str) -> None:
    """Make the repository, created if absent, hold a manifest, and need its parts. Its content has a row."""
    digest = str(manifest.digest)
    subject = None if manifest.subject is None else str(manifest.subject)
    about = (manifest.media_type, manifest.artifact_type, subject, manifest.annotations.decode())
    connection.execute(ADD_REPOSITORY, (repository,))
    before = connection.execute(_STATE, (repository, digest)).fetchall()
    connection.execute(_PUT, (repository, digest, _KEPT, now, owner, *about))
    if before == [(_KEPT, len(manifest.children))]:
        return  # by its digest it has the same children, which it needs already
    connection.execute(_DROP_CHILDREN, (repository, digest))
    children = [(repository, digest, position, str(child)) for position, child in enumerate(manifest.children)]
    connection.executemany(_ADD_CHILD, children)
    take_over(connection, repository, msgspec.json.encode([child for *_, child in children]).decode(), owner)
    keep_manifests(connection, repository, [digest], now)


def _referrer(row: Row) -> ReferrerDescriptor:
    media_type, digest, size, artifact_type, annotations = row
    return ReferrerDescriptor(
        media_type=str(media_type),
        digest=parse_digest(str(digest)),
        size=int(size or 0),
        artifact_type=None if artifact_type is None else str(artifact_type),
        annotations=cast("bytes", annotations),
    )
