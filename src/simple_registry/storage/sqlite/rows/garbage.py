"""Holdings whose grace is over, content without holdings, and times that a wrong clock wrote."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import apsw

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import HoldingEvent, HoldingState
from simple_registry.storage.records import ContentRecord, HoldingsEnded, Rehearsed, ReviewRules, Space, Waiting
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.name_locks import name_lock
from simple_registry.storage.sqlite.removals import removing
from simple_registry.storage.sqlite.rows.holding import apply_event, apply_to_manifests, record_of, release_content
from simple_registry.storage.sqlite.rows.reviews import POSTPONED, review

REHEARSED = 10_000
"""Holdings that one step of a rehearsal ends, which delays no writer."""

RETRY_INTERVAL = 0.02
"""Seconds between two attempts to become the collector; another one is done within milliseconds."""

AFTER = 0.001
"""Seconds after a manifest at which the turn of its parts comes."""

_LATER = """
SELECT EXISTS (SELECT 1 FROM repository_blobs WHERE state <> 'needed' AND since > ?1)
    OR EXISTS (SELECT 1 FROM manifests WHERE state <> 'needed' AND since > ?1)
    OR EXISTS (SELECT 1 FROM upload_sessions WHERE touched > ?1)
    OR EXISTS (SELECT 1 FROM reviews WHERE due > ?2)
"""
_BACK = (
    "UPDATE repository_blobs SET since = ? WHERE state <> 'needed' AND since > ?",
    "UPDATE manifests SET since = ? WHERE state <> 'needed' AND since > ?",
    "UPDATE upload_sessions SET touched = ? WHERE touched > ?",
)
_BACK_REVIEWS = "UPDATE reviews SET due = ? WHERE due > ?"
# The conditions are those of partial indexes.
_ENDING_BLOBS = """
SELECT repository, digest, state FROM repository_blobs WHERE state <> 'needed' AND since < ? ORDER BY since LIMIT ?
"""
_ENDING_MANIFESTS = """
SELECT repository, digest, state FROM manifests WHERE state <> 'needed' AND since < ? ORDER BY since LIMIT ?
"""
# The time of the last manifest that refers to a holding. One that is needed keeps all but what a client deleted.
_WAITS = """
SELECT max(manifests.since), max(manifests.state = 'needed')
FROM manifest_children AS part JOIN manifests USING (repository, digest)
WHERE part.repository = ?1 AND part.child = ?2 AND (manifests.state <> 'needed' OR ?3 <> 'deleted')
"""
_DELAY_BLOB = "UPDATE repository_blobs SET since = ? WHERE repository = ? AND digest = ?"
_DELAY_MANIFEST = "UPDATE manifests SET since = ? WHERE repository = ? AND digest = ?"
END_BLOB = "DELETE FROM repository_blobs WHERE repository = ? AND digest = ?"
# Its children go with it: ON DELETE CASCADE.
END_MANIFEST = "DELETE FROM manifests WHERE repository = ? AND digest = ?"
END_REPOSITORY = """
DELETE FROM repositories WHERE name = ?1
AND NOT EXISTS (SELECT 1 FROM repository_blobs WHERE repository = ?1)
AND NOT EXISTS (SELECT 1 FROM manifests WHERE repository = ?1)
"""
_CONDEMNED = """
SELECT digest, size, place, version FROM contents WHERE state = 'condemned' AND digest > ? ORDER BY digest LIMIT ?
"""
_CONDEMNED_SPACE = "SELECT count(*), coalesce(sum(size), 0) FROM contents WHERE state = 'condemned'"
_WAITING = """
SELECT held.state, count(*), sum(size), max(since) FROM (
    SELECT state, since, digest FROM manifests WHERE state <> 'needed' AND since >= 0
    UNION ALL
    SELECT state, since, digest FROM repository_blobs WHERE state <> 'needed' AND since >= 0
) AS held CROSS JOIN contents USING (digest) GROUP BY held.state
"""
_FIND_CONDEMNED = "SELECT digest, size, place, version FROM contents WHERE digest = ? AND state = 'condemned'"
_FORGET = "DELETE FROM contents WHERE digest = ? AND state = 'condemned'"
_COUNT = "UPDATE counters SET value = value + 1 WHERE name = 'removals'"


@dataclass(frozen=True, slots=True)
class _Holdings:
    """The changes of holdings of one table."""

    due: str
    delay: str
    end: str
    apply_event: Callable[[apsw.Connection, HoldingEvent, str, str, float], bool]


_BLOBS = _Holdings(_ENDING_BLOBS, _DELAY_BLOB, END_BLOB, apply_event)
_MANIFESTS = _Holdings(_ENDING_MANIFESTS, _DELAY_MANIFEST, END_MANIFEST, apply_to_manifests)


class SqliteGarbageRows:
    """The rows that the collector reads and changes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @asynccontextmanager
    async def collecting(self, *, only_reading: bool = False) -> AsyncIterator[None]:
        """Wait for the right to remove content, and hold it for the block. One request in all processes holds it.

        A block that is `only_reading` keeps collectors away and removes nothing: it is entered in read-only mode, too.
        The lock is a byte of the writers' lock file, and independent of their own lock.

        Raises (on entering): InReadOnlyMode, StorageFault.
        """
        if not only_reading:
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
        return bool(self._database.rows(_LATER, future, future + POSTPONED)[0][0])

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`: a wrong clock wrote them."""

        def reset_times(connection: apsw.Connection) -> None:
            for statement in _BACK:
                connection.execute(statement, (to, future))
            connection.execute(_BACK_REVIEWS, (to, future + POSTPONED))

        await self._database.write(reset_times)

    async def end_holdings(self, before: float, limit: int) -> HoldingsEnded:
        """End up to `limit` holdings that were deleted or unneeded before this time: manifests first, oldest first."""
        now = self._clock.now()
        return await self._database.write(lambda connection: _end_holdings(connection, before, limit, now))

    async def waiting(self) -> Waiting:
        """Return what waits for the end of its grace."""

        def read(connection: apsw.Connection) -> Waiting:
            spaces, last = {}, 0.0
            for state, count, size, since in connection.execute(_WAITING).fetchall():
                spaces[state] = Space(int(count or 0), int(size or 0))
                last = float(since or 0) if state == HoldingState.DELETED else last
            return Waiting(spaces.get("deleted", Space()), spaces.get("unneeded", Space()), last)

        return await self._database.in_thread(read)

    async def rehearse(self, before: float, rules: ReviewRules | None) -> Rehearsed:
        """Return what reviews by these rules, and ending all holdings before this time, would do. Nothing changes."""
        now = self._clock.now()
        return await self._database.in_thread(lambda connection: _rehearse(connection, before, rules, now))

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


def _end_holdings(connection: apsw.Connection, before: float, limit: int, now: float) -> HoldingsEnded:
    # Half of them, so that the blobs, which take the space, end as early as their manifests.
    manifests, turns = _end(connection, _MANIFESTS, before, (limit + 1) // 2, now)
    blobs, further = _end(connection, _BLOBS, before, limit - turns, now)
    release_content(connection, {digest for _, digest in (*manifests, *blobs)})
    connection.executemany(END_REPOSITORY, {(repository,) for repository, _ in (*manifests, *blobs)})
    waiting = turns + further - len(manifests) - len(blobs)
    return HoldingsEnded(len(manifests), len(blobs), waiting)


def _rehearse(reader: apsw.Connection, before: float, rules: ReviewRules | None, now: float) -> Rehearsed:
    """Do the work on a temporary copy of the database, so that no writer waits for it."""
    copy = apsw.Connection("")  # in memory, and in a temporary file as far as it is large
    try:
        with copy.backup("main", reader, "main") as backup:
            backup.step()
        copy.execute("PRAGMA journal_mode = OFF")
        copy.execute("PRAGMA foreign_keys = ON")
        begun = _condemned(copy)
        unneeded, more = 0, rules is not None
        while more and rules is not None:
            reviewed = review(copy, rules, now, REHEARSED)
            unneeded, more = unneeded + reviewed.unneeded, reviewed.more
        manifests = blobs = 0
        while (ended := _end_holdings(copy, before, REHEARSED, now)).total or ended.waiting:
            manifests, blobs = manifests + ended.manifests, blobs + ended.blobs
        done = _condemned(copy)
    finally:
        copy.close()
    removed = Space(done.count - begun.count, done.size - begun.size)
    return Rehearsed(unneeded, HoldingsEnded(manifests, blobs), removed)


def _condemned(connection: apsw.Connection) -> Space:
    count, size = connection.execute(_CONDEMNED_SPACE).fetchall()[0]
    return Space(int(count or 0), int(size or 0))


def _end(
    connection: apsw.Connection, holdings: _Holdings, before: float, limit: int, now: float
) -> tuple[Sequence[tuple[str, str]], int]:
    """End holdings whose turn has come, unless a manifest refers to them. Return them, and the number of turns."""
    due = connection.execute(holdings.due, (before, limit)).fetchall()
    ended: list[tuple[str, str]] = []
    for repository, digest, state in due:
        ((until, needed),) = connection.execute(_WAITS, (repository, digest, state)).fetchall()
        if until is None:
            connection.execute(holdings.end, (repository, digest))
            ended.append((str(repository), str(digest)))
        elif needed:  # no event leaves it like this, but nothing that is needed may end
            holdings.apply_event(connection, HoldingEvent.KEPT, str(repository), f'["{digest}"]', now)
        else:
            connection.execute(holdings.delay, (float(until) + AFTER, repository, digest))
    return ended, len(due)
