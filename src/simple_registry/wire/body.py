"""The body of a request, between the connection on which it arrives and the handler that reads it.

    connection ──feed──► pieces ──iteration──► handler
                           └── counted by the budget; when the handler lags, reading pauses

The iteration ends only after the last byte of a whole body. It raises for a body that broke off, is malformed or comes
too slowly.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from simple_registry.wire.framing import framing_of
from simple_registry.wire.progress import Progress
from simple_registry.wire.shared import KIB, NEVER, Shared

READ_AHEAD = 256 * KIB
"""Bytes that wait for the handler before reading pauses."""


MAX_PIECES = 256
"""Pieces, however small, that wait for the handler before reading pauses."""


class Source(Protocol):
    """What a body needs of its connection."""

    def pause_reading(self) -> None:
        """Read no more for now."""
        ...

    def resume_reading(self) -> None:
        """Read on."""
        ...

    async def ask_for_body(self) -> None:
        """Let the client send the body, if it waits to be asked."""
        ...


class NoBody:
    """The body of a request without one."""

    announced: int | None = 0
    received = 0
    complete = True
    deadline = NEVER

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    def hold(self, size: int) -> bool:
        """Return whether nothing is to be held."""
        return not size

    def interrupt(self, fault: Exception) -> None:
        """Ignore that the connection ended."""

    def end(self) -> None:
        """Give nothing back."""


NO_BODY = NoBody()


class ArrivingBody:
    """A body that arrives."""

    def __init__(self, source: Source, shared: Shared, account: str | None, announced: int | None) -> None:
        """Expect `announced` bytes from `source`, or chunks when it is `None`; count what is held under `account`."""
        self._source = source
        self._shared = shared
        self._account = account
        self._framing = framing_of(announced)
        self.announced = announced
        self.received = 0
        self.deadline = NEVER
        """When the connection is to interrupt the body, because its bytes come too slowly."""
        self._pieces: list[bytes] = []
        self._waiting = 0
        """Bytes of `_pieces` that the budget knows of."""
        self._kept = 0
        """Bytes that the handler keeps."""
        self._fault: Exception | None = None
        self._ended = False
        self._progress = Progress(period=shared.limits.progress_period, rate=shared.limits.min_rate)
        self._reader: asyncio.Future[None] | None = None
        """Set while the handler waits."""

    # ---------------------------------------------------------------- for the connection

    @property
    def complete(self) -> bool:
        """Whether the last byte has arrived."""
        return self._framing.complete

    def feed(self, data: bytes) -> bytes:
        """Take bytes that arrived; return those after the end of the body.

        Raises: RequestRefused.
        """
        content, rest = self._framing.feed(data)
        self.received += len(content)
        if content and not self._ended:
            self._keep(content)
        self._wake()
        return rest

    def interrupt(self, fault: Exception) -> None:
        """Have the handler meet a fault instead of what has not been read yet."""
        self._fault = fault
        self.deadline = NEVER
        self._wake()

    def end(self) -> None:
        """Give back what is held; the handler has ended, and later bytes are dropped."""
        self._ended = True
        self._pieces.clear()
        self._shared.budget.release(self._account, self._waiting + self._kept)
        self._waiting = self._kept = 0

    def _keep(self, content: bytes) -> None:
        self._pieces.append(content)
        size = len(content)
        self._progress.moved(size, self._shared.loop.time())
        if not self._shared.budget.take(self._account, size):
            self._source.pause_reading()  # until the handler has taken what is here
            return
        self._waiting += size
        if self._waiting >= READ_AHEAD or len(self._pieces) >= MAX_PIECES:
            self._source.pause_reading()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # ---------------------------------------------------------------- for the handler

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks.

        Raises: ContentInterrupted, BodyTooSlow.
        """
        while pieces := await self._receive():
            for piece in pieces:
                yield piece

    def hold(self, size: int) -> bool:
        """Count bytes that the handler keeps in memory until it ends; return whether there is room for them."""
        if not self._shared.budget.take(self._account, size):
            return False
        self._kept += size
        return True

    async def _receive(self) -> Sequence[bytes]:
        """Return what has arrived since the last call; nothing after the end."""
        while not self._pieces and self._fault is None:
            if self._framing.complete:
                return ()
            if not self.received:
                await self._source.ask_for_body()
            await self._wait()
        if self._fault is not None:
            raise self._fault
        pieces, self._pieces = self._pieces, []
        self._shared.budget.release(self._account, self._waiting)
        self._waiting = 0
        if not self._framing.complete:
            self._source.resume_reading()
        return pieces

    async def _wait(self) -> None:
        """Wait for bytes, or for a fault. Reading goes on meanwhile: one that pauses would not see a reset."""
        self._source.resume_reading()
        loop = self._shared.loop
        self.deadline = self._progress.wait(loop.time())
        self._reader = loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
            self.deadline = NEVER
