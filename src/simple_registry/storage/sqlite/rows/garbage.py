"""Holdings whose grace is over, content without holdings, and times that a wrong clock wrote."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.records import ContentRecord, HoldingsEnded
from simple_registry.storage.sqlite.engine.database import Database, Row
from simple_registry.storage.sqlite.engine.name_locks import name_lock
from simple_registry.storage.sqlite.removals import removing
from simple_registry.storage.sqlite.rows.holding import record_of, release_content

RETRY_INTERVAL = 0.02
"""Seconds between two attempts to become the collector; another one is done within milliseconds."""

AFTER = 0.001
"""Seconds after a manifest at which the turn of its parts comes."""

_LATER = """
SELECT EXISTS (SELECT 1 FROM repository_blobs WHERE state <> 'needed' AND since > ?1)
    OR EXISTS (SELECT 1 FROM manifests WHERE state <> 'needed' AND since > ?1)
    OR EXISTS (SELECT 1 FROM upload_sessions WHERE touched > ?1)
"""
_BACK = (
    "UPDATE repository_blobs SET since = ? WHERE state <> 'needed' AND since > ?",
    "UPDATE manifests SET since = ? WHERE state <> 'needed' AND since > ?",
    "UPDATE upload_sessions SET touched = ? WHERE touched > ?",
)
# The conditions are those of partial indexes.
_ENDING_BLOBS = """
SELECT repository, digest, state FROM repository_blobs WHERE state <> 'needed' AND since < ? ORDER BY since LIMIT ?
"""
_ENDING_MANIFESTS = """
SELECT repository, digest, state FROM manifests WHERE state <> 'needed' AND since < ? ORDER BY since LIMIT ?
"""
# The time of the last manifest that refers to a holding. One that is needed keeps all but what a client deleted.
_WAITS = """
SELECT max(CASE manifests.state WHEN 'needed' THEN ?4 ELSE manifests.since END)
FROM manifest_children AS part JOIN manifests USING (repository, digest)
WHERE part.repository = ?1 AND part.child = ?2 AND (manifests.state <> 'needed' OR ?3 <> 'deleted')
"""
_DELAY_BLOB = "UPDATE repository_blobs SET since = ? WHERE repository = ? AND digest = ?"
_DELAY_MANIFEST = "UPDATE manifests SET since = ? WHERE repository = ? AND digest = ?"
_END_BLOB = "DELETE FROM repository_blobs WHERE repository = ? AND digest = ?"
# Its children go with it: ON DELETE CASCADE.
_END_MANIFEST = "DELETE FROM manifests WHERE repository = ? AND digest = ?"
_END_REPOSITORY = """
DELETE FROM repositories WHERE name = ?1
AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository = ?1)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1)
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

    @asynccontextmanager
    async def removing(self) -> AsyncIterator[bool]:
        """Hold the right to remove bytes for the block. Yield whether there is one: a backup keeps all bytes.

        Raises (on entering): StorageFault.
        """
        with removing(self._database.path) as allowed:
            yield allowed

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding became deleted or unneeded, or a session was touched, after this time."""
        return bool(self._database.rows(_LATER, future)[0][0])

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`: a wrong clock wrote them."""

        def reset_times(connection: apsw.Connection) -> None:
            for statement in _BACK:
                connection.execute(statement, (to, future))

        await self._database.write(reset_times)

    async def end_holdings(self, before: float, limit: int) -> HoldingsEnded:
        """End up to `limit` holdings that were deleted or unneeded before this time: manifests first, oldest first."""

        def end(connection: apsw.Connection) -> HoldingsEnded:
            now = self._clock.now()
            manifests = connection.execute(_ENDING_MANIFESTS, (before, limit)).fetchall()
            ended = _end(connection, manifests, now, delay=_DELAY_MANIFEST, end=_END_MANIFEST)
            blobs = connection.execute(_ENDING_BLOBS, (before, limit - len(manifests))).fetchall()
            ended_blobs = _end(connection, blobs, now, delay=_DELAY_BLOB, end=_END_BLOB)
            release_content(connection, {digest for _, digest in (*ended, *ended_blobs)})
            connection.executemany(_END_REPOSITORY, {(repository,) for repository, _ in (*ended, *ended_blobs)})
            waiting = len(manifests) + len(blobs) - len(ended) - len(ended_blobs)
            return HoldingsEnded(len(ended), len(ended_blobs), waiting)

        return await self._database.write(end)

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


def _end(
    connection: apsw.Connection, due: Sequence[Row], now: float, *, delay: str, end: str
) -> Sequence[tuple[str, str]]:
    """End holdings whose turn has come, unless a manifest refers to them. Return repositories and digests."""
    ended: list[tuple[str, str]] = []
    for repository, digest, state in due:
        ((until,),) = connection.execute(_WAITS, (repository, digest, state, now)).fetchall()
        if until is None:
            connection.execute(end, (repository, digest))
            ended.append((str(repository), str(digest)))
        else:
            connection.execute(delay, (float(until) + AFTER, repository, digest))
    return ended
