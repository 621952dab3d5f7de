"""The body of a request, between the connection that receives it and the handler that reads it.

    connection ──feed──► pieces ──iteration──► handler
                           └── counted by the budget; reading pauses while the handler is behind

The iteration ends only after the last byte of a complete body. It raises for an incomplete, malformed or slow body.
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
"""Pieces of any size that wait for the handler before reading pauses."""

FIRST_BYTE_TIME = 0.1
"""Seconds that an early answer waits for the first byte of the body; if it overtakes that byte, containerd hangs."""


class Source(Protocol):
    """The connection, as a body uses it."""

    def pause_reading(self) -> None:
        """Stop reading from the socket."""

    def resume_reading(self) -> None:
        """Read from the socket."""

    async def ask_for_body(self) -> None:
        """Send 100 Continue, once, to a client that expects it."""


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

    async def begun(self) -> None:
        """Do nothing."""

    def reserve(self, size: int) -> bool:
        """Return whether `size` is 0."""
        return not size

    def interrupt(self, fault: Exception) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


NO_BODY = NoBody()


class ArrivingBody:
    """A body that arrives on a connection."""

    def __init__(self, source: Source, shared: Shared, account: str | None, announced: int | None) -> None:
        """Expect `announced` bytes, or chunks if it is `None`. Memory is reserved under `account`."""
        self._source = source
        self._shared = shared
        self._account = account
        self._framing = framing_of(announced)
        self.announced = announced
        self.received = 0
        self.deadline = NEVER
        """When the body falls below the minimum rate; the connection then interrupts it."""
        self._pieces: list[bytes] = []
        self._waiting = 0
        """Bytes of `_pieces` that are reserved in the budget."""
        self._kept = 0
        """Bytes reserved by the handler."""
        self._fault: Exception | None = None
        self._ended = False
        self._progress = Progress(period=shared.limits.progress_period, rate=shared.limits.min_rate)
        self._reader: asyncio.Future[None] | None = None
        """Set while the handler waits for bytes."""

    # ---------------------------------------------------------------- for the connection

    @property
    def complete(self) -> bool:
        """Whether the last byte has arrived."""
        return self._framing.complete

    def feed(self, data: bytes) -> bytes:
        """Add received bytes; return those after the end of the body.

        Raises: RequestRefused.
        """
        content, rest = self._framing.feed(data)
        self.received += len(content)
        if content and not self._ended:
            self._keep(content)
        self._wake()
        return rest

    def interrupt(self, fault: Exception) -> None:
        """Raise `fault` in the handler, in place of everything it has not read."""
        self._fault = fault
        self.deadline = NEVER
        self._wake()

    def end(self) -> None:
        """Release the memory when the handler has returned. Later bytes are dropped."""
        self._ended = True
        self._pieces.clear()
        self._shared.budget.release(self._account, self._waiting + self._kept)
        self._waiting = self._kept = 0

    def _keep(self, content: bytes) -> None:
        self._pieces.append(content)
        size = len(content)
        self._progress.moved(size, self._shared.loop.time())
        if not self._shared.budget.reserve(self._account, size):
            self._source.pause_reading()  # until the handler has read the pieces
            return
        self._waiting += size
        if self._waiting >= READ_AHEAD or len(self._pieces) >= MAX_PIECES:
            self._source.pause_reading()

    async def begun(self) -> None:
        """Wait for the first byte, for a moment."""
        if self.received or self._fault is not None:
            return
        self._source.resume_reading()
        self._reader = self._shared.loop.create_future()
        moment = self._shared.loop.call_later(FIRST_BYTE_TIME, self._wake)
        try:
            await self._reader
        finally:
            self._reader = None
            moment.cancel()

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    # ---------------------------------------------------------------- for the handler

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks."""
        while pieces := await self._receive():
            for piece in pieces:
                yield piece

    def reserve(self, size: int) -> bool:
        """Reserve memory for bytes that the handler keeps until it returns; return whether there is room."""
        if not self._shared.budget.reserve(self._account, size):
            return False
        self._kept += size
        return True

    async def _receive(self) -> Sequence[bytes]:
        """Return the pieces since the last call; none after the end."""
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
        """Wait for bytes or a fault. Reading must not pause meanwhile, or a reset would go unnoticed."""
        self._source.resume_reading()
        loop = self._shared.loop
        self.deadline = self._progress.wait(loop.time())
        self._reader = loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
            self.deadline = NEVER
