"""What keeps content, for explanations."""

from collections.abc import Sequence

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.life import HoldingState
from simple_registry.storage.records import HeldAs, HeldTogether, Keepers, Part, Space
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.rows.holding import holding_of

_HOLDINGS = """
SELECT repository, 'child', state, since, extended FROM manifests WHERE digest = ?1
UNION ALL
SELECT repository, 'blob', state, since, extended FROM repository_blobs WHERE digest = ?1
LIMIT ?2
"""
_TAGS = "SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag LIMIT ?"
_MANIFESTS = """
SELECT part.digest FROM manifest_children AS part JOIN manifests USING (repository, digest)
WHERE part.repository = ?1 AND part.child = ?2 AND manifests.state = 'needed'
UNION ALL
SELECT subject.digest FROM manifests AS held
JOIN manifests AS subject ON subject.repository = held.repository AND subject.digest = held.subject
WHERE held.repository = ?1 AND held.digest = ?2 AND subject.state = 'needed'
LIMIT ?3
"""
# What is needed has no time.
_HELD = """
SELECT part, held.state, counted, count(*), coalesce(sum(size), 0), min(since), max(since) FROM (
    SELECT 'blob' AS part, state, counted, iif(state = 'needed', 0, since) AS since, digest
    FROM repository_blobs WHERE repository = ?1
    UNION ALL
    SELECT 'child', state, counted, iif(state = 'needed', 0, since), digest FROM manifests WHERE repository = ?1
) AS held LEFT JOIN contents USING (digest) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
"""


class SqliteKeeperRows:
    """What keeps content."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def holdings_of(self, digest: Digest, limit: int) -> Sequence[HeldAs]:
        """Return up to `limit` holdings of this content, deleted or not."""
        rows = self._database.rows(_HOLDINGS, str(digest), limit)
        return [HeldAs(RepositoryName(str(row[0])), Part(str(row[1])), holding_of(row[2:])) for row in rows]

    async def keepers_of(self, repository: RepositoryName, digest: Digest, limit: int) -> Keepers:
        """Return up to `limit` tags, and as many needed manifests of the repository, that keep this content."""
        tags = self._database.rows(_TAGS, repository, str(digest), limit)
        manifests = self._database.rows(_MANIFESTS, repository, str(digest), limit)
        return Keepers([Tag(str(tag)) for (tag,) in tags], [parse_digest(str(each)) for (each,) in manifests])

    async def held_by(self, repository: RepositoryName) -> Sequence[HeldTogether]:
        """Return all that a repository holds, together by kind, state and whether it counts, in this order."""
        return await self._database.in_thread(
            lambda connection: [_together(row) for row in connection.execute(_HELD, (repository,)).fetchall()]
        )


def _together(row: Row) -> HeldTogether:
    part, state, counts, count, size, first, last = row
    space = Space(int(count or 0), int(size or 0))
    return HeldTogether(
        Part(str(part)), HoldingState(str(state)), bool(counts), space, float(first or 0), float(last or 0)
    )
