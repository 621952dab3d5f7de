"""What keeps content, for explanations."""

from collections.abc import Sequence

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import HeldAs, Keepers, Part
from simple_registry.storage.sqlite.engine.database import Database
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
