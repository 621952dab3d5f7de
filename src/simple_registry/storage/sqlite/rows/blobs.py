"""Which repository holds which blob."""

from collections.abc import Callable, Sequence

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.records import Blob, BlobAdded, ContentRemoved
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.holding import hold, is_known, release

_FIND = """
SELECT size FROM repository_blobs JOIN blobs USING (digest)
WHERE repository = ? AND digest = ?
"""
_HOLDERS = "SELECT repository FROM repository_blobs WHERE digest = ? AND repository > ? ORDER BY repository LIMIT ?"
_ADD = "INSERT INTO repository_blobs (repository, digest) VALUES (?, ?) ON CONFLICT DO NOTHING"
_REMOVE = "DELETE FROM repository_blobs WHERE repository = ? AND digest = ?"
_END_SESSION = "DELETE FROM upload_sessions WHERE session = ?"


class SqliteBlobRows:
    """The blobs of repositories."""

    def __init__(self, database: Database, clock: Clock) -> None:
        """Keep them in `database`; times come from `clock`."""
        self._database = database
        self._clock = clock

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> Blob | None:
        """Return the blob if this repository holds it as a blob."""
        return self._database.cached(("blob", repository, digest), lambda: self._read_blob(repository, digest))

    def _read_blob(self, repository: RepositoryName, digest: Digest) -> Blob | None:
        row = self._database.row(_FIND, repository, str(digest))
        return None if row is None else Blob(digest, int(row[0] or 0))

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold this blob, in order of name, beginning after `after`."""
        rows = self._database.rows(_HOLDERS, str(digest), after or "", limit)
        return [RepositoryName(str(name)) for (name,) in rows]

    async def add_blob(
        self, repository: RepositoryName, blob: Blob, *, present: Callable[[bool], bool], session: str | None = None
    ) -> BlobAdded | ContentRemoved:
        """Make the repository hold the blob (and exist), and drop the session's row; already holding it is fine."""

        def add(connection: apsw.Connection) -> BlobAdded | ContentRemoved:
            if not present(is_known(connection, blob.digest)):
                return ContentRemoved()
            hold(connection, repository, blob)
            connection.execute(_ADD, (repository, str(blob.digest)))
            if session is not None:
                connection.execute(_END_SESSION, (session,))
            return BlobAdded()

        return await self._database.write(add)

    async def mount_blob(
        self, repository: RepositoryName, digest: Digest, source: RepositoryName, *, present: Callable[[Blob], bool]
    ) -> Blob | None:
        """Make the repository hold a blob that `source` holds in the same moment.

        Returns `None`, and changes nothing, when `source` does not hold it, or when `present` says in the transaction
        that the content is gone.
        """

        def mount(connection: apsw.Connection) -> Blob | None:
            rows = connection.execute(_FIND, (source, str(digest))).fetchall()
            if not rows:
                return None
            blob = Blob(digest, int(rows[0][0] or 0))
            if not present(blob):
                return None
            hold(connection, repository, blob)
            connection.execute(_ADD, (repository, str(digest)))
            return blob

        return await self._database.write(mount)

    async def remove_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Make the repository hold the blob no more. Returns whether it did. The content stays."""

        def remove(connection: apsw.Connection) -> bool:
            connection.execute(_REMOVE, (repository, str(digest)))
            if connection.changes() == 0:
                return False
            release(connection, digest, self._clock.now())
            return True

        return await self._database.write(remove)
