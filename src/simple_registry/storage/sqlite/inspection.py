"""The rows of one database for `fsck`: content, its uses, defects, and repairs."""

from collections.abc import Sequence

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.inspection import ContentRow, Defect, RowDefect, Uses
from simple_registry.storage.life import CONTENTS, ContentEvent, ContentState
from simple_registry.storage.records import ContentRecord, ManifestRow
from simple_registry.storage.sqlite.defects import IS_PART, QUERIES, WELL_FORMED, repair
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.holding import find_content, place_content, record_of, refuse_content
from simple_registry.storage.sqlite.rows.manifests import hold_manifest

LINES = 20
"""Lines about a damaged database that are reported."""

_TOTALS = "SELECT count(*), coalesce(sum(size), 0) FROM contents"
_ANY = "SELECT 1 FROM repositories UNION ALL SELECT 1 FROM contents LIMIT 1"
_CONTENT = "SELECT digest, size, place, version, state, verified FROM contents WHERE digest = ?"
# GLOB, rather than a range: a text that is not a digest is reported by `page_defects`.
_CONTENTS = f"""
SELECT digest, size, place, version, state, verified FROM contents
WHERE digest > ?1 AND digest < ?2 AND {WELL_FORMED}
ORDER BY digest LIMIT ?3
"""
_UNVERIFIED = f"""
SELECT digest, size, place, version, state, verified FROM contents INDEXED BY contents_verified
WHERE state = 'whole' AND verified < ?1 AND (verified, digest) > (?2, ?3) AND {WELL_FORMED}
ORDER BY verified, digest LIMIT ?4
"""
_HOLDERS = """
SELECT repository FROM repository_blobs WHERE digest = ?1 AND state <> 'deleted'
UNION SELECT repository FROM manifests WHERE digest = ?1 AND state <> 'deleted'
ORDER BY 1 LIMIT ?2
"""
# CROSS JOIN keeps this order of the loops. Otherwise SQLite reads all parts of the repository for each manifest that
# needs the content, which takes minutes where thousands of manifests share a layer.
_TAGS = """
WITH RECURSIVE needing (digest) AS (
    SELECT ?2
    UNION
    SELECT part.digest FROM needing CROSS JOIN manifest_children AS part
    ON part.repository = ?1 AND part.child = needing.digest
)
SELECT tag FROM tags WHERE repository = ?1 AND digest IN (SELECT digest FROM needing) ORDER BY tag LIMIT ?3
"""
_HELD = """
SELECT 1 FROM repository_blobs WHERE digest = ?1 UNION ALL SELECT 1 FROM manifests WHERE digest = ?1 LIMIT 1
"""
_LACKING = """
SELECT 1 FROM tags WHERE repository = ?1 AND tag = ?2 AND digest = ?3
AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1 AND digest = ?3 AND state <> 'deleted')
"""
_FORGET = "DELETE FROM contents WHERE digest = ? AND state = 'condemned'"


class SqliteRowInspection:
    """The rows of one database, and their repairs."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def check_database(self, *, thorough: bool) -> Sequence[str]:
        """Return what is wrong with the database file, in words; an empty list if it is sound."""
        pragma = "integrity_check" if thorough else "quick_check"

        def check(connection: apsw.Connection) -> list[str]:
            try:
                lines = [str(line) for (line,) in connection.execute(f"PRAGMA {pragma}({LINES})").fetchall()]
            except (apsw.CorruptError, apsw.NotADBError) as error:
                return [str(error)]
            return [] if lines == ["ok"] else lines

        return await self._database.in_thread(check)

    async def is_empty(self) -> bool:
        """Return whether there is neither a repository nor content."""
        return self._database.row(_ANY) is None

    async def totals(self) -> tuple[int, int]:
        """Return the number of contents, and their bytes."""
        contents, size = self._database.rows(_TOTALS)[0]
        return int(contents or 0), int(size or 0)

    async def find_content(self, digest: Digest) -> ContentRow | None:
        """Return the row of content."""
        row = self._database.row(_CONTENT, str(digest))
        return None if row is None else _content(row)

    async def page_contents(self, prefix: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return rows of content whose digest begins with `algorithm:xx`, in order, after `after`."""
        start = prefix if after is None else str(after)
        return [_content(row) for row in self._database.rows(_CONTENTS, start, f"{prefix}~", limit)]

    async def page_unverified(self, before: float, after: ContentRow | None, limit: int) -> Sequence[ContentRow]:
        """Return rows of whole content that was last verified before a time, the longest ago first, after `after`."""
        start = (-1.0, "") if after is None else (after.verified, str(after.record.digest))
        return [_content(row) for row in self._database.rows(_UNVERIFIED, before, *start, limit)]

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return up to `limit` repositories and tags that use this content."""
        return await self._database.in_thread(lambda connection: find_uses(connection, digest, limit))

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, after `after`."""
        query = QUERIES[defect]
        key = query.begin if after is None else after.key
        bindings = (*key, *[None] * (8 - len(key)), limit)
        rows = await self._database.in_thread(lambda connection: connection.execute(query.sql, bindings).fetchall())
        return [RowDefect(defect, str(row[0]), str(row[1]), str(row[2]), _key(row[3:])) for row in rows]

    async def repair(self, defect: RowDefect) -> bool:
        """Repair a defect that needs only rows, if it still exists. Return whether it was repaired."""
        now = self._clock.now()
        return await self._database.write(lambda connection: repair(connection, defect, now))

    async def make_whole(self, record: ContentRecord) -> bool:
        """Record that held content is whole, with durable bytes at this place. Return `False` if it cannot be."""
        now = self._clock.now()

        def make_whole(connection: apsw.Connection) -> bool:
            _known, state = find_content(connection, record.digest)
            if not _any(connection, _HELD, str(record.digest)) or ContentEvent.PLACED not in CONTENTS[state]:
                return False
            place_content(connection, record, now)
            return True

        return await self._database.write(make_whole)

    async def condemn(self, record: ContentRecord) -> bool:
        """Condemn content without a row. Return `False` if it has one, or a repository holds it by now."""

        def condemn(connection: apsw.Connection) -> bool:
            known, _state = find_content(connection, record.digest)
            if known is not None or _any(connection, _HELD, str(record.digest)):
                return False
            refuse_content(connection, record)
            return True

        return await self._database.write(condemn)

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, content: ContentRecord) -> bool:
        """Make a repository hold the manifest that its tag lacks. The caller holds `GarbageRows.collecting`."""
        now = self._clock.now()

        def restore(connection: apsw.Connection) -> bool:
            digest = str(manifest.digest)
            if not connection.execute(_LACKING, (tagged.repository, tagged.name, digest)).fetchall():
                return False
            # Condemned content would be removed. No collector runs, and its bytes were found whole.
            connection.execute(_FORGET, (digest,))
            place_content(connection, content, now)
            hold_manifest(connection, tagged.repository, manifest, now, owner="")
            return True

        return await self._database.write(restore)


def find_uses(connection: apsw.Connection, digest: Digest, limit: int) -> Uses:
    """Return up to `limit` repositories and tags that use content, in this connection's state of the rows."""
    names = [str(name) for (name,) in connection.execute(_HOLDERS, (str(digest), limit)).fetchall()]
    tags: list[str] = []
    for name in names:
        rows = connection.execute(_TAGS, (name, str(digest), limit - len(tags))).fetchall()
        tags += [f"{name}:{tag}" for (tag,) in rows]
    return Uses(tuple(names), tuple(tags), part=_any(connection, IS_PART, str(digest)))


def _content(row: Row) -> ContentRow:
    return ContentRow(record_of(row[:4]), ContentState(str(row[4])), float(row[5] or 0))


def _any(connection: apsw.Connection, sql: str, digest: str) -> bool:
    return bool(connection.execute(sql, (digest,)).fetchall())


def _key(values: Row) -> tuple[str | int, ...]:
    return tuple(value if isinstance(value, int) else str(value) for value in values)
