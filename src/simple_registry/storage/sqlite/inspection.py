"""All rows for `fsck`: contents, who holds them, what is wrong with rows, and the few changes that mend them."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.storage.inspection import ContentRow, Defect, RowDefect, Uses
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import ContentRecord, ManifestRow
from simple_registry.storage.sqlite.defects import MENDING, QUERIES, WELL_FORMED
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.manifests import keep_manifest
from simple_registry.storage.sqlite.rows.sessions import SqliteSessionRows

_T = TypeVar("_T")

LINES = 20
"""Most of what SQLite says about a damaged database that is passed on."""

_TOTALS = "SELECT count(*), coalesce(sum(size), 0) FROM contents"
_ANY = "SELECT 1 FROM repositories LIMIT 1"
# GLOB, rather than a range: what is no digest is told of by `page_defects`.
_CONTENTS = f"""
SELECT digest, size, state FROM contents
WHERE digest > ?1 AND digest < ?2 AND {WELL_FORMED}
ORDER BY digest LIMIT ?3
"""
_CONTENT = "SELECT digest, size, state FROM contents WHERE digest = ?"
_HELD = """
SELECT EXISTS (SELECT 1 FROM repository_blobs WHERE digest = ?1) OR EXISTS (SELECT 1 FROM manifests WHERE digest = ?1)
"""
_HOLDERS = """
SELECT repository FROM repository_blobs WHERE digest = ?1 UNION SELECT repository FROM manifests WHERE digest = ?1
ORDER BY 1 LIMIT ?2
"""
_TAGS = """
WITH RECURSIVE needing (digest) AS (
    SELECT ?2
    UNION
    SELECT part.digest FROM manifest_children AS part JOIN needing ON part.child = needing.digest
    WHERE part.repository = ?1
)
SELECT tag FROM tags WHERE repository = ?1 AND digest IN (SELECT digest FROM needing) ORDER BY tag LIMIT ?3
"""
_ADOPT = """
INSERT INTO contents (digest, size, state) VALUES (?1, ?2, ?3)
ON CONFLICT (digest) DO UPDATE SET size = excluded.size, state = excluded.state
"""
_LACKING = """
SELECT 1 FROM tags WHERE repository = ?1 AND tag = ?2 AND digest = ?3
AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1 AND digest = ?3)
"""


class SqliteRowInspection(SqliteSessionRows):
    """The rows of one database, and what mends them."""

    def __init__(self, path: str, clock: Clock) -> None:
        """Open the database at `path`; times come from `clock`.

        Raises: StorageFault.
        """
        super().__init__(Database(path))
        self._clock = clock

    async def check_database(self, *, thorough: bool) -> Sequence[str]:
        """Return what is wrong with the database as a file, in words; nothing means that it is sound."""
        pragma = "integrity_check" if thorough else "quick_check"

        def check(connection: apsw.Connection) -> list[str]:
            try:
                said = [str(line) for (line,) in connection.execute(f"PRAGMA {pragma}({LINES})").fetchall()]
            except (apsw.CorruptError, apsw.NotADBError) as error:
                return [str(error)]
            return [] if said == ["ok"] else said

        return await self._database.apart(check)

    def totals(self) -> tuple[int, int]:
        """Return how many contents there are, and their bytes."""
        contents, size = self._database.rows(_TOTALS)[0]
        return int(contents or 0), int(size or 0)

    def has_repositories(self) -> bool:
        """Tell whether there is any repository."""
        return self._database.row(_ANY) is not None

    def page_contents(self, beginning: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return contents whose digest begins with `algorithm:xx`, in order, beginning after `after`."""
        start = beginning if after is None else str(after)
        return [_content(row) for row in self._database.rows(_CONTENTS, start, f"{beginning}~", limit)]

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return who would miss this content, up to `limit` of each."""

        def find(connection: apsw.Connection) -> Uses:
            names = [str(name) for (name,) in connection.execute(_HOLDERS, (str(digest), limit)).fetchall()]
            tags: list[str] = []
            for name in names:
                left = limit - len(tags)
                rows = connection.execute(_TAGS, (name, str(digest), left)).fetchall()
                tags += [f"{name}:{tag}" for (tag,) in rows]
            return Uses(tuple(names), tuple(tags))

        return await self._database.apart(find)

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, beginning after `after`. Each is true of one moment."""
        query = QUERIES[defect]
        key = query.begin if after is None else after.key
        bindings = (*key, *[None] * (8 - len(key)), limit)
        rows = await self._database.apart(lambda connection: connection.execute(query.sql, bindings).fetchall())
        return [RowDefect(defect, str(row[0]), str(row[1]), str(row[2]), _key(row[3:])) for row in rows]

    async def settle(self, digest: Digest, judge: Callable[[ContentRow | None, bool], _T]) -> _T:
        """Return what `judge` says of the row of content, and whether a repository holds it, while nobody writes."""

        def ask(connection: apsw.Connection) -> _T:
            rows = connection.execute(_CONTENT, (str(digest),)).fetchall()
            return judge(_content(rows[0]) if rows else None, _held(connection, digest))

        return await self._database.write(ask)

    async def alone(self, act: Callable[[], _T]) -> _T:
        """Return what `act` returns; it is called while nobody writes rows."""
        return await self._database.write(lambda _connection: act())

    async def adopt(self, content: ContentRecord, *, present: Callable[[], bool]) -> bool:
        """Give content its row, or that row its size and the state whole; content that nothing holds is condemned.

        Returns `False`, and changes nothing, when `present()` says in the transaction that the content is gone.
        """

        def adopt(connection: apsw.Connection) -> bool:
            if not present():
                return False
            state = ContentState.WHOLE if _held(connection, content.digest) else ContentState.CONDEMNED
            connection.execute(_ADOPT, (str(content.digest), content.size, state))
            return True

        return await self._database.write(adopt)

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, *, present: Callable[[], bool]) -> bool:
        """Make a repository hold the manifest that a tag of it points at, if that tag still stands without it."""

        def restore(connection: apsw.Connection) -> bool:
            names = (tagged.repository, tagged.name, str(manifest.digest))
            if not connection.execute(_LACKING, names).fetchall() or not present():
                return False
            connection.execute(_ADOPT, (str(manifest.digest), manifest.size, ContentState.WHOLE))
            keep_manifest(connection, tagged.repository, manifest, self._clock.now())
            return True

        return await self._database.write(restore)

    async def mend(self, defect: RowDefect) -> bool:
        """Mend a defect that rows alone can tell how to mend, if it still stands. Returns whether it did."""
        statement = MENDING.get(defect.defect)
        if statement is None:
            return False

        def mend(connection: apsw.Connection) -> bool:
            values = (defect.repository, defect.digest, defect.name)
            connection.execute(statement, values[: _bound(statement)])
            return connection.changes() > 0

        return await self._database.write(mend)

    async def close(self) -> None:
        """Let go of the database."""
        await self._database.close()


def _content(row: Row) -> ContentRow:
    digest, size, state = row
    return ContentRow(parse_digest(str(digest)), int(size or 0), ContentState(str(state)))


def _key(values: Row) -> tuple[str | int, ...]:
    return tuple(value if isinstance(value, int) else str(value) for value in values)


def _held(connection: apsw.Connection, digest: Digest) -> bool:
    return bool(connection.execute(_HELD, (str(digest),)).fetchall()[0][0])


def _bound(statement: str) -> int:
    """Return how many values a statement takes: SQLite wants neither more nor fewer."""
    return max(number for number in range(1, 4) if f"?{number}" in statement)
