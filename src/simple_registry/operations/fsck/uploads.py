"""Upload sessions for `fsck`: bytes without a session, and sessions without bytes that were acknowledged.

    row ──► file ──► bytes ──► the file becomes content ──► the row goes

A session gets its row before its file, so a file seen before all rows were read has its row among them, or none any
more. An upload in one request never has a row; it holds its file locked. While a session is being finished its file
has gone and its row stands: such a row is looked at again a little later, and when its content is in its place the
session is merely over. A backup leaves the bytes of all sessions out, which is no fault.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from simple_registry.clock import Clock
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Remedy, Repair
from simple_registry.storage.inspection import FileStore, Look, RowStore
from simple_registry.storage.records import SessionRow

PAGE = 1000

UNTOUCHED = 600.0
"""Seconds for which bytes without a session may be those of a manifest that is being written."""

FINISHING = 2.0
"""Seconds after which a session that is being finished has gone, unless its content tells that it is over."""


class UploadCheck:
    """Compares sessions with their bytes."""

    def __init__(
        self,
        rows: RowStore,
        files: FileStore,
        clock: Clock,
        mode: Mode,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Compare these stores."""
        self._rows = rows
        self._files = files
        self._clock = clock
        self._mode = mode
        self._pause = pause

    async def run(self) -> AsyncIterator[Finding]:
        """Yield what is wrong with uploads."""
        files = self._files.sessions()
        known: set[str] = set()
        suspects: list[SessionRow] = []
        after = ""
        while page := await self._rows.page_sessions(after, PAGE):
            after = page[-1].session
            known.update(row.session for row in page)
            suspects += [row for row in page if self._cut(row)]
        for session in files:
            if session not in known and (finding := await self._leftover(session)):
                yield finding
        if suspects:
            await self._pause(FINISHING)
        for row in suspects:
            if await self._rows.find_session(row.session) == row and self._cut(row):
                yield await self._cut_finding(row, Kind.CUT_UPLOAD if files else Kind.LOST_UPLOAD)

    def _cut(self, row: SessionRow) -> bool:
        """Tell whether bytes are missing that the session's client was told are here."""
        look = self._files.look(self._files.session_place(row.session))
        received = row.received
        if received.size == 0 or (look is not None and look.size >= received.size):
            return False
        if received.digest is None:
            return True
        content = self._files.look(self._files.place(received.digest))
        return content is None or content.size != received.size

    async def _leftover(self, session: str) -> Finding | None:
        place = self._files.session_place(session)
        look = self._files.look(place)
        if look is None or abs(self._clock.now() - look.changed) < UNTOUCHED:
            return None
        if look.regular and look.readable and self._files.busy(session):
            return None
        moved = await self._set_aside(session, look)
        return Finding(
            kind=Kind.LEFTOVER,
            done=Repair.MOVED if moved else Repair.NOTHING,
            to_do=Remedy.NOTHING if moved else Remedy.REPAIR,
            place=place,
            size=look.size,
            moved_to=moved,
        )

    async def _cut_finding(self, row: SessionRow, kind: Kind) -> Finding:
        place = self._files.session_place(row.session)
        look = self._files.look(place)
        ended = self._mode.repair and await self._rows.remove_session(row.session)
        moved = None if look is None or not ended else await self._set_aside(row.session, look)
        return Finding(
            kind=kind,
            done=Repair.ENDED if ended else Repair.NOTHING,
            to_do=Remedy.NOTHING if ended else Remedy.REPAIR,
            place=place,
            repository=str(row.repository),
            size=0 if look is None else look.size,
            expected=row.received.size,
            moved_to=moved,
        )

    async def _set_aside(self, session: str, look: Look) -> str | None:
        if not self._mode.repair:
            return None
        place = self._files.session_place(session)
        return await self._rows.alone(lambda: self._files.set_aside(place, look, session))
