"""Turns at writing to an upload session: the newest request wins.

A client that lost its network returns with a newer request while the older one still waits for bytes. The newer request
claims the session in its row. The older one notices the claim and releases the session. What it wrote counts only if
the row still has its generation (`SessionRows.update_session`), so nothing of it is acknowledged after the claim. The
newer request then continues from what was acknowledged. A request that is already publishing its blob is not ended; the
newer one finds no session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.faults import SessionBusy, StorageFault
from simple_registry.oci.errors import BlobUploadUnknown, UploadBusy, UploadTaken
from simple_registry.storage.protocols.sessions import SessionRows
from simple_registry.storage.records import SessionRow


class State(StrEnum):
    """States of a session."""

    ABSENT = "absent"
    FREE = "free"
    HELD = "held"
    CLAIMED = "claimed"


class Event(StrEnum):
    """Events of a session. One that its state does not list is refused and changes nothing."""

    STARTED = "started"
    TAKEN = "taken"
    EXTENDED = "extended"
    CLAIMED = "claimed"
    RELEASED = "released"
    ENDED = "ended"


LIFE: Mapping[State, Mapping[Event, State]] = {
    State.ABSENT: {Event.STARTED: State.FREE},
    State.FREE: {Event.TAKEN: State.HELD, Event.CLAIMED: State.FREE, Event.ENDED: State.ABSENT},
    State.HELD: {
        Event.EXTENDED: State.HELD,
        Event.CLAIMED: State.CLAIMED,
        Event.RELEASED: State.FREE,
        Event.ENDED: State.ABSENT,
    },
    State.CLAIMED: {Event.CLAIMED: State.CLAIMED, Event.RELEASED: State.FREE, Event.ENDED: State.ABSENT},
}
"""The life of an upload session. `SessionRows` implements it; contract tests and documents read it."""

CHECK_INTERVAL = 0.2
"""Seconds between two checks of the generation while a request waits for its client."""

RETRY_INTERVAL = 0.05
"""Seconds between two attempts to take a session from an older request."""

MAX_ATTEMPTS = 100
"""Attempts before the newer request gives up, as when the older one waits for the disk, which cannot be interrupted."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A held session, with its row at the time it was taken."""

    row: SessionRow
    rows: SessionRows

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """Cancel the block, whatever it awaits, when a newer request claims the session or the session ends.

        Raises: as `require`, also when that happened at the very end of the block.
        """
        loop = asyncio.get_running_loop()
        if asyncio.current_task() is None:  # the first step of a request runs outside a task, and cannot be cancelled
            await asyncio.sleep(0)
        scope = asyncio.timeout(None)  # never expires by itself; used for its ability to cancel only this block
        checks: asyncio.Task[None] | None = None

        async def check() -> None:
            while not await self._is_over():  # noqa: ASYNC110 (the row may change in another process)
                await asyncio.sleep(CHECK_INTERVAL)
            scope.reschedule(loop.time())  # only once: the block may take longer than an interval to end

        def begin() -> None:
            nonlocal checks
            checks = loop.create_task(check())

        try:
            async with scope:
                # A timer starts the task: most blocks end before it, and never need one.
                timer = loop.call_later(CHECK_INTERVAL, begin)
                try:
                    yield
                finally:
                    timer.cancel()
                    if checks is not None:
                        checks.cancel()
        except TimeoutError:
            if scope.expired():
                await self.require()
            raise
        await self.require()

    async def require(self) -> None:
        """Require that bytes received in this turn may still be added to the session.

        Raises: UploadTaken, BlobUploadUnknown.
        """
        found = await self.rows.find_session(self.row.session)
        if Event.EXTENDED not in LIFE[_state(self.row, found)]:
            raise _refusal(self.row, found)

    async def _is_over(self) -> bool:
        try:
            await self.require()
        except (UploadTaken, BlobUploadUnknown):
            return True
        except StorageFault:
            return False  # the block meets the same fault, or the next check succeeds
        return False


class Turns:
    """Grants turns at sessions."""

    def __init__(self, rows: SessionRows, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._rows = rows
        self._pause = pause

    @asynccontextmanager
    async def take(self, row: SessionRow, *, claim: bool) -> AsyncIterator[Turn]:
        """Hold the session for the block. With `claim`, an older request that holds it is ended.

        Raises: UploadBusy, BlobUploadUnknown, and UploadTaken when a newer request has claimed the session.
        """
        async with AsyncExitStack() as held:
            try:
                current = await held.enter_async_context(self._rows.hold(row.session))
            except SessionBusy:
                if not claim:
                    raise UploadBusy(session=row.session, received=row.received.size) from None
                current = await self._overtake(row, held)
            if current is None:
                raise BlobUploadUnknown(session=row.session)
            yield Turn(current, self._rows)

    async def _overtake(self, row: SessionRow, held: AsyncExitStack) -> SessionRow:
        claimed = await self._rows.claim_session(row.session)
        if claimed is None:
            raise BlobUploadUnknown(session=row.session)
        for _attempt in range(MAX_ATTEMPTS):
            await self._pause(RETRY_INTERVAL)
            try:
                current, ours = await held.enter_async_context(self._rows.hold(row.session)), True
            except SessionBusy:
                current, ours = await self._rows.find_session(row.session), False
            # Another request may have held or claimed it since this claim: then this request is the older one.
            if _state(claimed, current) is not State.HELD:
                raise _refusal(claimed, current)
            if ours:
                return claimed
        raise UploadBusy(session=row.session, received=claimed.received.size)


def _state(held: SessionRow, found: SessionRow | None) -> State:
    """Return the state of a session for the request that took its row as `held`, from the row `found` later."""
    if found is None:
        return State.ABSENT
    return State.HELD if found.generation == held.generation else State.CLAIMED


def _refusal(held: SessionRow, found: SessionRow | None) -> UploadTaken | BlobUploadUnknown:
    if found is None:
        return BlobUploadUnknown(session=held.session)
    return UploadTaken(session=found.session, received=found.received.size)
