"""Expired holdings, content without holdings, and times that a wrong clock wrote."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import groupby

import apsw
import msgspec

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.records import ContentRecord
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.name_locks import name_lock
from simple_registry.storage.sqlite.rows.holding import apply_event, record_of, release_content

RETRY_INTERVAL = 0.02
"""Seconds between two attempts to become the collector; another one is done within milliseconds."""

# The conditions are those of partial indexes.
_LATER = """
SELECT EXISTS (SELECT 1 FROM repository_blobs WHERE state = 'deleted' AND since > ?1)
    OR EXISTS (SELECT 1 FROM repository_blobs WHERE state = 'unneeded' AND since > ?1)
    OR EXISTS (SELECT 1 FROM manifests WHERE state = 'deleted' AND since > ?1)
    OR EXISTS (SELECT 1 FROM upload_sessions WHERE touched > ?1)
"""
_BACK = (
    "UPDATE repository_blobs SET since = ? WHERE state = 'deleted' AND since > ?",
    "UPDATE repository_blobs SET since = ? WHERE state = 'unneeded' AND since > ?",
    "UPDATE manifests SET since = ? WHERE state = 'deleted' AND since > ?",
    "UPDATE upload_sessions SET touched = ? WHERE touched > ?",
)
_ENDING_BLOBS = """
SELECT repository, digest FROM repository_blobs WHERE state = 'deleted' AND since < ? ORDER BY since LIMIT ?
"""
_ENDING_MANIFESTS = """
SELECT repository, digest FROM manifests WHERE state = 'deleted' AND since < ? ORDER BY since LIMIT ?
"""
_END_BLOB = "DELETE FROM repository_blobs WHERE repository = ? AND digest = ?"
_CHILDREN = "SELECT child FROM manifest_children WHERE repository = ? AND digest = ?"
# Its children go with it: ON DELETE CASCADE.
_END_MANIFEST = "DELETE FROM manifests WHERE repository = ? AND digest = ?"
_STILL_NEEDED = """
SELECT value FROM json_each(?2)
WHERE EXISTS (SELECT 1 FROM manifest_children WHERE repository = ?1 AND child = value)
"""
_CONDEMNED = """
SELECT digest, size, place, version FROM contents WHERE state = 'condemned' AND digest > ? ORDER BY digest LIMIT ?
"""
_FIND_CONDEMNED = "SELECT digest, size, place, version FROM contents WHERE digest = ? AND state = 'condemned'"
_FORGET = "DELETE FROM contents WHERE digest = ? AND state = 'condemned'"
_COUNT = "UPDATE counters SET value = value + 1 WHERE name = 'removals'"


class SqliteGarbageRows:
    """The rows that the collector reads and changes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def collecting(self) -> AsyncIterator[None]:
        """Wait for the right to remove content, and hold it for the block. One request in all processes holds it.

        The lock is a byte of the writers' lock file, and independent of their own lock.

        Raises (on entering): InReadOnlyMode, StorageFault.
        """
        self._database.require_writable()
        ours = False
        while not ours:
            with name_lock(f"{self._database.path}.lock", "collector") as ours:
                if ours:
                    yield
            if not ours:
                await asyncio.sleep(RETRY_INTERVAL)

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding became deleted or unneeded, or a session was touched, after this time."""
        return bool(self._database.rows(_LATER, future)[0][0])

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`: a wrong clock wrote them."""

        def reset_times(connection: apsw.Connection) -> None:
            for statement in _BACK:
                connection.execute(statement, (to, future))

        await self._database.write(reset_times)

    async def end_holdings(self, before: float, limit: int) -> None:
        """End up to `limit` holdings that were deleted before this time, and condemn content without holdings."""

        def end(connection: apsw.Connection) -> None:
            blobs = connection.execute(_ENDING_BLOBS, (before, limit)).fetchall()
            manifests = connection.execute(_ENDING_MANIFESTS, (before, limit - len(blobs))).fetchall()
            connection.executemany(_END_BLOB, blobs)
            for repository, ending in groupby(manifests, key=lambda row: str(row[0])):
                _end_manifests(connection, repository, [str(digest) for _, digest in ending], self._clock.now())
            release_content(connection, {str(digest) for _, digest in (*blobs, *manifests)})

        await self._database.write(end)

    async def page_condemned(self, after: Digest | None, limit: int) -> Sequence[ContentRecord]:
        """Return condemned content, ordered by digest, after `after`."""
        return [record_of(row) for row in self._database.rows(_CONDEMNED, str(after or ""), limit)]

    async def find_condemned(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is condemned."""
        row = self._database.row(_FIND_CONDEMNED, str(digest))
        return None if row is None else record_of(row)

    async def forget(self, records: Sequence[ContentRecord]) -> None:
        """Remove the rows of condemned content whose bytes were removed, and count the removals."""

        def forget(connection: apsw.Connection) -> None:
            connection.executemany(_FORGET, [(str(record.digest),) for record in records])
            connection.execute(_COUNT)

        await self._database.write(forget)


def _end_manifests(connection: apsw.Connection, repository: str, digests: Sequence[str], now: float) -> None:
    """End holdings of manifests of one repository; parts that no other manifest needs become unneeded."""
    children: set[str] = set()
    for digest in digests:
        children.update(str(child) for (child,) in connection.execute(_CHILDREN, (repository, digest)).fetchall())
        connection.execute(_END_MANIFEST, (repository, digest))
    listed = msgspec.json.encode(sorted(children)).decode()
    needed = {str(child) for (child,) in connection.execute(_STILL_NEEDED, (repository, listed)).fetchall()}
    released = msgspec.json.encode(sorted(children - needed)).decode()
    apply_event(connection, HoldingEvent.RELEASED, repository, released, now)
