"""The manifests of repositories, and what refers to what."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import cast

import apsw
import msgspec

from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.protocols import Blob, ManifestRow, Moved, Part, StoredManifest, forget_moved
from simple_registry.storage.sqlite.database import Database, Row
from simple_registry.storage.sqlite.holding import hold, is_known, release

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
_POINTED_AT = "SELECT digest FROM tags WHERE repository = ? AND tag = ?"
_EXISTS = "SELECT 1 FROM manifests WHERE repository = ? AND digest = ?"
_TAGS = "SELECT tag FROM tags WHERE repository = ? AND digest = ?"
# Its tags and children go with it: ON DELETE CASCADE.
_REMOVE = "DELETE FROM manifests WHERE repository = ? AND digest = ?"

# The indexes are named because the planner would rather walk the whole repository, which is in order of digest too.
_ALL_REFERRERS = """
SELECT media_type, size, artifact_type, annotations, digest
FROM manifests INDEXED BY manifests_referrers JOIN blobs USING (digest)
WHERE repository = ? AND subject = ? AND digest > ?
ORDER BY digest LIMIT ?
"""
_REFERRERS_BY_TYPE = """
SELECT media_type, size, artifact_type, annotations, digest
FROM manifests INDEXED BY manifests_referrers_by_type JOIN blobs USING (digest)
WHERE repository = ? AND subject = ? AND artifact_type = ? AND digest > ?
ORDER BY digest LIMIT ?
"""

_ANNOTATIONS = msgspec.json.Decoder(dict[str, str])


class SqliteManifestRows:
    """The manifests of repositories."""

    _database: Database

    def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it."""
        return self._database.remembered(
            ("manifest", repository, digest), lambda: self._read(_FIND, repository, str(digest))
        )

    def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at, as of one moment."""
        return self._database.remembered(("tagged", repository, tag), lambda: self._read(_FIND_TAGGED, repository, tag))

    def _read(self, sql: str, repository: RepositoryName, reference: str) -> StoredManifest | None:
        row = self._database.row(sql, repository, reference)
        return None if row is None else StoredManifest(parse_digest(str(row[0])), int(row[1] or 0), str(row[2]))

    async def missing_parts(
        self,
        repository: RepositoryName,
        required: Sequence[tuple[Part, Digest]],
        *,
        present: Callable[[Blob], bool],
    ) -> Sequence[Digest]:
        """Return the parts that the repository lacks, or holds without their content, as `present` tells, in order."""
        if len(required) <= PARTS_AT_ONCE:
            return _lacking(lambda sql, bindings: self._database.rows(sql, *bindings), repository, required, present)
        return await self._database.apart(
            lambda connection: _lacking(connection.execute, repository, required, present)
        )

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        tags: Sequence[Tag],
        required: Sequence[tuple[Part, Digest]],
        present: Callable[[bool], bool],
        moved: Moved = forget_moved,
    ) -> Sequence[Digest] | None:
        """Make the repository hold the manifest, and point `tags` at it, all or nothing; repeating it is fine.

        Returns the `required` parts that the repository lacks at that moment (then nothing was changed; empty means
        done), or `None` when `present` says that the manifest's own content is gone (nothing was changed); it is told
        whether a row vouches for that already.
        """

        def put(connection: apsw.Connection) -> Sequence[Digest] | None:
            lacking = _lacking(connection.execute, repository, required, present=lambda _blob: True)
            if lacking:
                return lacking
            if not present(is_known(connection, manifest.digest)):
                return None
            keep_manifest(connection, repository, manifest)
            for tag in tags:
                before = connection.execute(_POINTED_AT, (repository, tag)).fetchall()
                moved(tag, parse_digest(str(before[0][0])) if before else None)
            connection.executemany(_POINT_TAG, [(repository, tag, str(manifest.digest)) for tag in tags])
            return []

        return await self._database.write(put)

    async def remove_manifest(self, repository: RepositoryName, digest: Digest, *, tags: Sequence[Tag]) -> bool | None:
        """Remove the manifest from the repository, and `tags`, which must be all that point at it in that moment.

        Returns whether it was there, or `None` when other tags point at it (then nothing was changed).
        """

        def remove(connection: apsw.Connection) -> bool | None:
            names = (repository, str(digest))
            if not connection.execute(_EXISTS, names).fetchall():
                return False
            if {tag for (tag,) in connection.execute(_TAGS, names).fetchall()} != set(tags):
                return None
            connection.execute(_REMOVE, names)
            release(connection, digest, self._database.clock.now())
            return True

        return await self._database.write(remove)

    def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        limit: int,
    ) -> Sequence[ReferrerDescriptor]:
        """Return manifests of the repository with this subject, in order of digest, beginning after `after`."""
        beginning = "" if after is None else str(after)
        if artifact_type is None:
            rows = self._database.rows(_ALL_REFERRERS, repository, str(subject), beginning, limit)
        else:
            rows = self._database.rows(_REFERRERS_BY_TYPE, repository, str(subject), artifact_type, beginning, limit)
        return [_referrer(row) for row in rows]


def _lacking(
    query: Callable[[str, tuple[str, str]], Iterable[tuple[object, ...]]],
    repository: str,
    required: Sequence[tuple[Part, Digest]],
    present: Callable[[Blob], bool],
) -> list[Digest]:
    """Return the required parts that are not held as what they are required as, or whose content is not present."""
    lacking: list[Digest] = []
    for start in range(0, len(required), PARTS_ASKED):
        batch = required[start : start + PARTS_ASKED]
        texts = msgspec.json.encode([str(digest) for _, digest in batch]).decode()
        held: dict[Part, dict[object, int]] = {Part.BLOB: {}, Part.CHILD: {}}
        for digest, size, as_blob in query(_FIND_PARTS, (repository, texts)):
            held[Part.CHILD][digest] = cast("int", size)
            if as_blob:
                held[Part.BLOB][digest] = cast("int", size)
        for part, digest in batch:
            size = held[part].get(str(digest))
            if size is None or not present(Blob(digest, size)):
                lacking.append(digest)
    return lacking


def keep_manifest(connection: apsw.Connection, repository: str, manifest: ManifestRow) -> None:
    """Write the manifest's row and those of its children."""
    digest = str(manifest.digest)
    hold(connection, repository, Blob(manifest.digest, manifest.size))
    subject = None if manifest.subject is None else str(manifest.subject)
    annotations = msgspec.json.encode(dict(manifest.annotations)).decode()
    connection.execute(_PUT, (repository, digest, manifest.media_type, manifest.artifact_type, subject, annotations))
    connection.execute(_DROP_CHILDREN, (repository, digest))
    connection.executemany(
        _ADD_CHILD, [(repository, digest, position, str(child)) for position, child in enumerate(manifest.children)]
    )


def _referrer(row: Row) -> ReferrerDescriptor:
    return ReferrerDescriptor(
        media_type=str(row[0]),
        digest=parse_digest(str(row[4])),
        size=int(row[1] or 0),
        artifact_type=_text(row[2]),
        annotations=_annotations(row),
    )


def _annotations(row: Row) -> Mapping[str, str]:
    return _ANNOTATIONS.decode(str(row[3]))


def _text(value: object) -> str | None:
    return None if value is None else str(value)
