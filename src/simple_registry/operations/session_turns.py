"""Turns at writing to an upload session: the newest request has the last one.

A client whose network went away comes back with a newer request while the older one still waits for bytes. The newer
one claims the session in its row. The older one sees that while it waits, and lets go. What it wrote counts only if the
row has its generation still (`SessionRows.update_session`), so nothing of it is acknowledged after the claim. The newer
one begins once the older one has let go, at what was acknowledged. A request that makes a blob of its bytes is not
ended any more: the newer one finds no session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.faults import SessionBusy, StorageFault
from simple_registry.oci.errors import BlobUploadUnknown, UploadBusy, UploadTaken
from simple_registry.storage.protocols import SessionRows
from simple_registry.storage.records import SessionRow


class State(StrEnum):
    """What a session is at some moment."""

    ABSENT = "absent"
    FREE = "free"
    HELD = "held"
    CLAIMED = "claimed"


class Event(StrEnum):
    """What happens to a session. In a state that does not know an event, the event is refused and changes nothing."""

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
"""The life of an upload session. `SessionRows` keeps it, the contract tests go through it, the documents show it."""

LOOK = 0.2
"""Seconds between two looks at the generation while a client is waited for."""

STEP = 0.05
"""Seconds between two attempts at a session that an older request is to release."""

ATTEMPTS = 100
"""Attempts until the newer request gives up: the older one waits for the disk, where nothing can end it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A session while it is held, and its row as of then."""

    row: SessionRow
    rows: SessionRows

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """End the block, whatever it waits for, when a newer request claims the session, or its row goes.

        Raises: as `require`, also when that happened at the very end of the block.
        """
        loop = asyncio.get_running_loop()
        if asyncio.current_task() is None:  # in its first step a request has none, and only a task can be cancelled
            await asyncio.sleep(0)
        scope = asyncio.timeout(None)  # that time never comes: a scope is how to cancel a block, and nothing else
        looks: asyncio.Task[None] | None = None

        async def look() -> None:
            while not await self._is_over():  # noqa: ASYNC110 (the row may change in another process)
                await asyncio.sleep(LOOK)
            scope.reschedule(loop.time())  # once: the block may take longer than a look to end

        def begin() -> None:
            nonlocal looks
            looks = loop.create_task(look())

        try:
            async with scope:
                # A timer first: most blocks end before it, and need no task.
                timer = loop.call_later(LOOK, begin)
                try:
                    yield
                finally:
                    timer.cancel()
                    if looks is not None:
                        looks.cancel()
        except TimeoutError:
            if scope.expired():
                await self.require()
            raise
        await self.require()

    async def require(self) -> None:
        """Require that what this turn received may still become part of the session.

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
            return False  # the block meets the same fault, or the next look comes
        return False


class Turns:
    """Gives out turns at sessions."""

    def __init__(self, rows: SessionRows, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Hold the sessions of `rows`."""
        self._rows = rows
        self._pause = pause

    @asynccontextmanager
    async def take(self, row: SessionRow, *, claim: bool) -> AsyncIterator[Turn]:
        """Hold the session for the block; with `claim`, an older request that holds it is ended.

        Raises: UploadBusy, BlobUploadUnknown, and UploadTaken when a newer request came meanwhile.
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
        for _attempt in range(ATTEMPTS):
            await self._pause(STEP)
            try:
                current, ours = await held.enter_async_context(self._rows.hold(row.session)), True
            except SessionBusy:
                current, ours = await self._rows.find_session(row.session), False
            # Others may have had it since the claim: then this request is the older one.
            if _state(claimed, current) is not State.HELD:
                raise _refusal(claimed, current)
            if ours:
                return claimed
        raise UploadBusy(session=row.session, received=claimed.received.size)


def _state(held: SessionRow, found: SessionRow | None) -> State:
    """Return what a session is for the request that read its row as `held`, by the row that is `found` later."""
    if found is None:
        return State.ABSENT
    return State.HELD if found.generation == held.generation else State.CLAIMED


def _refusal(held: SessionRow, found: SessionRow | None) -> UploadTaken | BlobUploadUnknown:
    if found is None:
        return BlobUploadUnknown(session=held.session)
    return UploadTaken(session=found.session, received=found.received.size)
