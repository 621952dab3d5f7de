"""The tags of repositories, in ASCII order, which is the order SQLite compares text in."""

from collections.abc import Sequence

import apsw

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.sqlite.database import Database

_OF_MANIFEST = "SELECT tag FROM tags WHERE repository = ? AND digest = ? ORDER BY tag"
_PAGE = "SELECT tag FROM tags WHERE repository = ? AND tag > ? ORDER BY tag LIMIT ?"
_REMOVE = "DELETE FROM tags WHERE repository = ? AND tag = ? RETURNING digest"


class SqliteTagRows:
    """The tags of repositories."""

    _database: Database

    def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at this manifest."""
        return [Tag(str(tag)) for (tag,) in self._database.rows(_OF_MANIFEST, repository, str(digest))]

    def page_tags(self, repository: RepositoryName, after: str | None, limit: int) -> Sequence[Tag]:
        """Return tags in ASCII order, beginning after `after` (which need not exist)."""
        return [Tag(str(tag)) for (tag,) in self._database.rows(_PAGE, repository, after or "", limit)]

    async def remove_tag(self, repository: RepositoryName, tag: Tag) -> Digest | None:
        """Remove this tag only. Returns what it pointed at."""

        def remove(connection: apsw.Connection) -> Digest | None:
            removed = connection.execute(_REMOVE, (repository, tag)).fetchall()
            return parse_digest(str(removed[0][0])) if removed else None

        return await self._database.write(remove)
