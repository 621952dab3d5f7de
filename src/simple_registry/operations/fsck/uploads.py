"""Upload sessions for `fsck`: bytes without a session, and sessions without bytes that were acknowledged.

A session gets its row before its bytes, so bytes are listed before rows are read: those whose session is not among the
rows have none. A session is checked again while `fsck` holds it: then no request receives, publishes or ends it. A
backup omits the bytes of all sessions, which is not a fault.
"""

import math
from collections.abc import AsyncIterator

from simple_registry.clock import Clock
from simple_registry.faults import SessionBusy
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Remedy, Repair
from simple_registry.storage.inspection import Inspection
from simple_registry.storage.records import Received, SessionRow

PAGE = 1000

UNTOUCHED = 600.0
"""Seconds for which bytes without a session may be those of a manifest that is being written."""


class UploadCheck:
    """Compares sessions with their bytes."""

    def __init__(self, inspection: Inspection, clock: Clock, mode: Mode) -> None:
        self._sessions = inspection.stores.sessions
        self._uploads = inspection.uploads
        self._path = inspection.contents.session_path
        self._clock = clock
        self._mode = mode

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings about uploads."""
        with_bytes = await self._uploads.abandoned(math.inf)
        abandoned = set(await self._uploads.abandoned(self._clock.now() - UNTOUCHED))
        cut: list[str] = []
        after = ""
        while page := await self._sessions.page_sessions(after, PAGE):
            after = page[-1].session
            abandoned.difference_update(row.session for row in page)
            cut += [row.session for row in page if await self._is_cut(row)]
        for session in sorted(abandoned):
            if finding := await self._leftover(session):
                yield finding
        for session in cut:
            if not (with_bytes or self._mode.repair):
                finding = await self._lost(session)
            else:
                finding = await self._cut(session, Kind.CUT_UPLOAD if with_bytes else Kind.LOST_UPLOAD)
            if finding:
                yield finding

    async def _is_cut(self, row: SessionRow) -> bool:
        """Return whether acknowledged bytes are missing."""
        return not await self._uploads.has(row.session, row.received)

    async def _leftover(self, session: str) -> Finding | None:
        try:
            async with self._sessions.hold(session) as row:
                if row is not None:
                    return None
                if self._mode.repair:
                    await self._uploads.discard(session, Received())
        except SessionBusy:
            return None  # an upload in one request
        return self._finding(Kind.LEFTOVER, session, Repair.DISCARDED)

    async def _cut(self, session: str, kind: Kind) -> Finding | None:
        try:
            async with self._sessions.hold(session) as row:
                if row is None or not await self._is_cut(row):
                    return None
                if self._mode.repair:
                    await self._sessions.remove_session(session)
                    await self._uploads.discard(session, row.received)
        except SessionBusy:
            return None  # the request that holds it detects this
        return self._cut_finding(kind, row)

    async def _lost(self, session: str) -> Finding | None:
        """Report a session without taking its lock: a backup stays as it is."""
        row = await self._sessions.find_session(session)
        return None if row is None else self._cut_finding(Kind.LOST_UPLOAD, row)

    def _cut_finding(self, kind: Kind, row: SessionRow) -> Finding:
        repository, expected = str(row.repository), row.received.size
        return self._finding(kind, row.session, Repair.ENDED, repository=repository, expected=expected)

    def _finding(
        self, kind: Kind, session: str, repair: Repair, *, repository: str | None = None, expected: int = 0
    ) -> Finding:
        return Finding(
            kind=kind,
            done=repair if self._mode.repair else Repair.NOTHING,
            to_do=Remedy.NOTHING if self._mode.repair else Remedy.REPAIR,
            path=self._path(session),
            repository=repository,
            expected=expected,
        )
