"""Turns at writing to an upload session: the newest request has the last one.

    free ──► held ──────────────────► free        the store's writer: one in all processes, gone with its process
              └─ claimed ─► let go ─┘             a newer request begins the next generation of the row

A client whose network went away comes back with a newer request while the older one still waits for bytes. The newer
one claims the session in its row. The older one sees that while it waits, and lets go. What it wrote counts only if the
row has its generation still (`SessionRows.update_session`), so nothing of it is acknowledged after the claim. The newer
one begins once the older one has let go, at what was acknowledged. A request that makes a blob of its bytes is not
ended any more: the newer one finds no session.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from simple_registry.faults import SessionBusy, StorageFault
from simple_registry.oci.errors import BlobUploadUnknown, UploadBusy, UploadTaken
from simple_registry.storage.protocols import SessionRows, UploadStore, UploadWriter
from simple_registry.storage.records import SessionRow

LOOK = 0.2
"""Seconds between two looks at the generation while a client is waited for."""

STEP = 0.05
"""Seconds between two attempts at a session that an older request is to let go of."""

ATTEMPTS = 100
"""Attempts until the newer request gives up: the older one waits for the disk, where nothing can end it."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A session as it stands while its writer is held."""

    row: SessionRow
    writer: UploadWriter
    rows: SessionRows

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[None]:
        """End the block, whatever it waits for, when a newer request claims the session, or its row goes.

        Raises: as `require`, also when that happened at the very end of the block.
        """
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle
        scope = asyncio.timeout(None)  # that time never comes: a scope is how to cancel a block, and nothing else

        def look() -> None:
            nonlocal timer
            timer = loop.call_later(LOOK, look)  # first: a look that fails is not the last one
            if self._is_over():
                timer.cancel()  # the block may take longer than a look to end, and is cancelled once
                scope.reschedule(loop.time())

        try:
            async with scope:
                timer = loop.call_later(LOOK, look)
                try:
                    yield
                finally:
                    timer.cancel()
        except TimeoutError:
            if scope.expired():
                self.require()
            raise
        self.require()

    def require(self) -> None:
        """Insist that the turn is not over.

        Raises: UploadTaken, BlobUploadUnknown.
        """
        _require_generation(self.rows, self.row)

    def _is_over(self) -> bool:
        try:
            self.require()
        except (UploadTaken, BlobUploadUnknown):
            return True
        except StorageFault:
            return False  # the block meets the same fault, or the next look comes
        return False


class Turns:
    """Gives out turns at the sessions of some stores."""

    def __init__(
        self, rows: SessionRows, uploads: UploadStore, *, pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """Look at `rows` and hold the writers of `uploads`."""
        self._rows = rows
        self._uploads = uploads
        self._pause = pause

    @asynccontextmanager
    async def take(self, row: SessionRow, *, claim: bool) -> AsyncIterator[Turn]:
        """Hold the session's writer for the block; with `claim`, an older request that holds it is ended.

        Raises: UploadBusy, BlobUploadUnknown, and UploadTaken when a newer request came meanwhile.
        """
        async with AsyncExitStack() as held:
            writer = await self._try(row, held)
            if writer is not None:
                current = _found(self._rows, row.session)
            elif claim:
                current, writer = await self._overtake(row, held)
            else:
                raise UploadBusy(session=row.session, received=row.received)
            yield Turn(current, writer, self._rows)

    async def _overtake(self, row: SessionRow, held: AsyncExitStack) -> tuple[SessionRow, UploadWriter]:
        claimed = await self._rows.claim_session(row.session)
        if claimed is None:
            raise BlobUploadUnknown(session=row.session)
        for _attempt in range(ATTEMPTS):
            await self._pause(STEP)
            writer = await self._try(claimed, held)
            # Looked at while it is held: others may have had it since the claim.
            _require_generation(self._rows, claimed)
            if writer is not None:
                return claimed, writer
        raise UploadBusy(session=row.session, received=claimed.received)

    async def _try(self, row: SessionRow, held: AsyncExitStack) -> UploadWriter | None:
        try:
            return await held.enter_async_context(self._uploads.write(row.session, algorithm=row.algorithm))
        except SessionBusy:
            return None


def _found(rows: SessionRows, session: str) -> SessionRow:
    row = rows.find_session(session)
    if row is None:
        raise BlobUploadUnknown(session=session)
    return row


def _require_generation(rows: SessionRows, row: SessionRow) -> None:
    current = _found(rows, row.session)
    if current.generation != row.generation:
        raise UploadTaken(session=current.session, received=current.received)
