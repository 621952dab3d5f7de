"""Content that no repository holds any more."""

from collections.abc import Callable, Sequence

import apsw

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.storage.sqlite.database import Database

_PAGE = "SELECT digest FROM blobs WHERE unheld_since < ? ORDER BY unheld_since, digest LIMIT ?"
# Foreign keys would stop this if, against all rules, a holder were left.
_FORGET = "DELETE FROM blobs WHERE digest = ? AND unheld_since < ?"


class SqliteGarbageRows:
    """The content that nobody holds."""

    _database: Database

    def page_unheld(self, before: float, limit: int) -> Sequence[Digest]:
        """Return content that no repository has held, as blob or manifest, since before this time."""
        return [parse_digest(str(digest)) for (digest,) in self._database.rows(_PAGE, before, limit)]

    async def forget(self, digest: Digest, *, before: float, remove: Callable[[], None]) -> bool:
        """Remove the row of content still unheld since before this time, durably; then call `remove`.

        No row that makes the content reachable can be written between the check and the end of `remove`.
        Returns whether it was removed.
        """

        def forget(connection: apsw.Connection) -> bool:
            connection.execute(_FORGET, (str(digest), before))
            return connection.changes() > 0

        return await self._database.write(forget, after=remove)
