"""Content that no repository holds any more, and times that cannot be."""

from collections.abc import Callable, Sequence

import apsw

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.storage.sqlite.engine.database import Database

_LATER = """
SELECT EXISTS (SELECT 1 FROM blobs WHERE unheld_since > ?1)
    OR EXISTS (SELECT 1 FROM upload_sessions WHERE touched > ?1)
"""
_CONTENT_BACK = "UPDATE blobs SET unheld_since = ? WHERE unheld_since > ?"
_SESSIONS_BACK = "UPDATE upload_sessions SET touched = ? WHERE touched > ?"
_PAGE = "SELECT digest FROM blobs WHERE unheld_since < ? ORDER BY unheld_since, digest LIMIT ?"
# Foreign keys would stop this if, against all rules, a holder were left.
_FORGET = "DELETE FROM blobs WHERE digest = ? AND unheld_since < ?"


class SqliteGarbageRows:
    """The content that nobody holds."""

    def __init__(self, database: Database) -> None:
        """Keep them in `database`."""
        self._database = database

    async def is_dated_after(self, future: float) -> bool:
        """Tell whether content counts as unheld, or a session as touched, since later than this time."""
        return bool(self._database.rows(_LATER, future)[0][0])

    async def bring_back(self, future: float, *, to: float) -> None:
        """Date what `is_dated_after` finds `to` this time: the clock was wrong when it was written."""

        def bring_back(connection: apsw.Connection) -> None:
            connection.execute(_CONTENT_BACK, (to, future))
            connection.execute(_SESSIONS_BACK, (to, future))

        await self._database.write(bring_back)

    async def page_unheld(self, before: float, limit: int) -> Sequence[Digest]:
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
