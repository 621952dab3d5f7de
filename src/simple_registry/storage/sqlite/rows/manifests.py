"""The manifests of repositories, and what refers to what."""

from collections.abc import Callable, Iterable, Sequence
from typing import cast

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.records import (
    Blob,
    ContentRemoved,
    DescribedPart,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    Part,
    PartsUnmet,
    StoredManifest,
    TagsChanged,
    UnmetPart,
)
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.holding import hold, is_known, keep_unheld, release
from simple_registry.storage.sqlite.rows.tags import pointed_at

_FIND = """
SELECT digest, size, media_type
FROM manifests JOIN blobs USING (digest)
WHERE repository = ? AND digest = ?
"""
_FIND_TAGGED = """
SELECT digest, size, media_type
FROM tags JOIN manifests USING (repository, digest) JOIN blobs USING (digest)
WHERE repository = ? AND tag = ?
"""

# The digests come as one JSON array, so that the statement is the same for any number of them.
_FIND_PARTS = """
SELECT digest, size, 1 FROM repository_blobs JOIN blobs USING (digest)
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
UNION ALL
SELECT digest, size, 0 FROM manifests JOIN blobs USING (digest)
WHERE repository = ?1 AND digest IN (SELECT value FROM json_each(?2))
"""

PARTS_ASKED = 1000
"""Parts looked for in one query."""

PARTS_AT_ONCE = 64
"""Most parts that are looked for on the event loop; an image has fewer, an index may have many thousands."""

_PUT = """
INSERT INTO manifests (repository, digest, media_type, artifact_type, subject, annotations) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (repository, digest) DO UPDATE SET
    media_type = excluded.media_type,
    artifact_type = excluded.artifact_type,
    subject = excluded.subject,
    annotations = excluded.annotations
"""
_DROP_CHILDREN = "DELETE FROM manifest_children WHERE repository = ? AND digest = ?"
_ADD_CHILD = "INSERT INTO manifest_children (repository, digest, position, child) VALUES (?, ?, ?, ?)"
_POINT_TAG = """
INSERT INTO tags (repository, tag, digest) VALUES (?, ?, ?)
ON CONFLICT (repository, tag) DO UPDATE SET digest = excluded.digest
"""
_EXISTS = "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?"
_TAGS = "SELECT tag FROM tags WHERE repository = ? AND digest = ?"
# Its tags and children go with it: ON DELETE CASCADE.
_REMOVE = "DELETE FROM manifests WHERE repository = ? AND digest = ?"

# The indexes are named because the planner would rather walk the whole repository, which is in order of digest too.
_ALL_REFERRERS = """
SELECT media_type, digest, size, artifact_type, CAST(annotations AS BLOB)
FROM manifests INDEXED BY manifests_referrers JOIN blobs USING (digest)
WHERE repository = ? AND subject = ? AND digest > ?
ORDER BY digest
"""
_REFERRERS_BY_TYPE = """
SELECT media_type, digest, size, artifact_type, CAST(annotations AS BLOB)
FROM manifests INDEXED BY manifests_referrers_by_type JOIN blobs USING (digest)
WHERE repository = ? AND subject = ? AND artifact_type = ? AND digest > ?
ORDER BY digest
"""


class SqliteManifestRows:
    """The manifests of repositories."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep them in `database`; times come from `clock`."""
        self._database = database
        self._clock = clock

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it."""
        return self._database.cached(
            ("manifest", repository, digest), lambda: self._read(_FIND, repository, str(digest))
        )

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at, as of one moment."""
        return self._database.cached(("tagged", repository, tag), lambda: self._read(_FIND_TAGGED, repository, tag))

    def _read(self, sql: str, repository: RepositoryName, reference: str) -> StoredManifest | None:
        row = self._database.row(sql, repository, reference)
        return None if row is None else StoredManifest(parse_digest(str(row[0])), int(row[1] or 0), str(row[2]))

    async def unmet_parts(
        self, repository: RepositoryName, parts: Sequence[DescribedPart], *, present: Callable[[Blob], bool]
    ) -> Sequence[UnmetPart]:
        """Return the parts that are not in the repository as described, in order; see the protocol for `present`."""
        if len(parts) <= PARTS_AT_ONCE:
            return _unmet(lambda sql, bindings: self._database.rows(sql, *bindings), repository, parts, present)
        return await self._database.apart(lambda connection: _unmet(connection.execute, repository, parts, present))

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        present: Callable[[bool], bool],
        precondition: Precondition = UNCONDITIONAL,
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | ContentRemoved:
        """Make the repository hold the manifest, and point `tags` at it, all or nothing; repeating it is fine.

        `precondition` is asked of each tag, or of the manifest's digest when there are no tags; `present` is told
        whether a row vouches for the manifest's own content already.
        """

        def put(connection: apsw.Connection) -> ManifestStored | PartsUnmet | PreconditionUnmet | ContentRemoved:
            known = is_known(connection, manifest.digest)
            if not present(known):
                return ContentRemoved()
            before = {tag: pointed_at(connection, repository, tag) for tag in tags}
            named = before.items() or [_held(connection, repository, manifest.digest)]
            refusal = precondition.unmet(named) or _parts_unmet(connection, repository, parts)
            if refusal is not None:
                if not known:
                    # Its file has no other row, and would stay for ever.
                    now = self._clock.now()
                    keep_unheld(connection, Blob(manifest.digest, manifest.size), now)
                return refusal
            keep_manifest(connection, repository, manifest)
            connection.executemany(_POINT_TAG, [(repository, tag, str(manifest.digest)) for tag in tags])
            return ManifestStored(before)

        return await self._database.write(put)

    async def remove_manifest(
        self, repository: RepositoryName, digest: Digest, *, tags: Sequence[Tag]
    ) -> ManifestRemoved | ManifestAbsent | TagsChanged:
        """Remove the manifest from the repository, and `tags`, which must be all that point at it at that moment."""

        def remove(connection: apsw.Connection) -> ManifestRemoved | ManifestAbsent | TagsChanged:
            names = (repository, str(digest))
            if not connection.execute(_EXISTS, names).fetchall():
                return ManifestAbsent()
            if {tag for (tag,) in connection.execute(_TAGS, names).fetchall()} != set(tags):
                return TagsChanged()
            connection.execute(_REMOVE, names)
            release(connection, digest, self._clock.now())
            return ManifestRemoved()

        return await self._database.write(remove)

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests of the repository with this subject, in order of digest, beginning after `after`.

        As many as take about `size` bytes, at least one, and whether more follow.
        """
        which = () if artifact_type is None else (artifact_type,)
        return await self._database.page(
            _ALL_REFERRERS if artifact_type is None else _REFERRERS_BY_TYPE,
            (repository, str(subject), *which, "" if after is None else str(after)),
            size=size,
            make=_referrer,
        )


def _held(connection: apsw.Connection, repository: str, digest: Digest) -> tuple[Digest, Digest | None]:
    """Return a digest with what it names in a repository: itself, or nothing."""
    return digest, digest if connection.execute(_EXISTS, (repository, str(digest))).fetchall() else None


def _parts_unmet(connection: apsw.Connection, repository: str, parts: Sequence[DescribedPart]) -> PartsUnmet | None:
    unmet = _unmet(connection.execute, repository, parts, present=lambda _blob: True)
    return PartsUnmet(unmet) if unmet else None


def _unmet(
    query: Callable[[str, tuple[str, str]], Iterable[tuple[object, ...]]],
    repository: str,
    parts: Sequence[DescribedPart],
    present: Callable[[Blob], bool],
) -> list[UnmetPart]:
    """Return the parts that are not held as described, or that must be and whose content is not present."""
    unmet: list[UnmetPart] = []
    for start in range(0, len(parts), PARTS_ASKED):
        batch = parts[start : start + PARTS_ASKED]
        texts = msgspec.json.encode([str(each.blob.digest) for each in batch]).decode()
        held: dict[Part, dict[object, int]] = {Part.BLOB: {}, Part.CHILD: {}}
        for digest, size, as_blob in query(_FIND_PARTS, (repository, texts)):
            held[Part.CHILD][digest] = cast("int", size)
            if as_blob:
                held[Part.BLOB][digest] = cast("int", size)
        for each in batch:
            described = each.blob
            found = held[each.part].get(str(described.digest))
            if found is None or not present(Blob(described.digest, found)):
                if each.required:
                    unmet.append(UnmetPart(described, None))
            elif found != described.size:
                unmet.append(UnmetPart(described, found))
    return unmet


def keep_manifest(connection: apsw.Connection, repository: str, manifest: ManifestRow) -> None:
    """Write the manifest's row and those of its children."""
    digest = str(manifest.digest)
    hold(connection, repository, Blob(manifest.digest, manifest.size))
    subject = None if manifest.subject is None else str(manifest.subject)
    annotations = manifest.annotations.decode()
    connection.execute(_PUT, (repository, digest, manifest.media_type, manifest.artifact_type, subject, annotations))
    connection.execute(_DROP_CHILDREN, (repository, digest))
    connection.executemany(
        _ADD_CHILD, [(repository, digest, position, str(child)) for position, child in enumerate(manifest.children)]
    )


def _referrer(row: Row) -> ReferrerDescriptor:
    media_type, digest, size, artifact_type, annotations = row
    return ReferrerDescriptor(
        media_type=str(media_type),
        digest=parse_digest(str(digest)),
        size=int(size or 0),
        artifact_type=None if artifact_type is None else str(artifact_type),
        annotations=cast("bytes", annotations),
    )
