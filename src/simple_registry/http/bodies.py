"""The bodies of requests: read in time, checked against their announced length, and drained after a refusal.

The server underneath ends a body silently when its client breaks off, so what arrived is compared with what was
announced. A client that is refused while it is still sending reads the refusal only if somebody takes what it sends;
`drain` does, within bounds, after the response is on its way.
"""

import asyncio
from collections.abc import AsyncIterator

from simple_registry.content import ContentInterrupted
from simple_registry.http.messages import Body
from simple_registry.oci.errors import ManifestTooLarge, RequestTimeout

WINDOW = 64 * 1024
"""Bytes that must arrive within the time-out. Only waiting counts, so a slow disk of ours is never held against a
client, and one that sends a byte now and then does not keep its connection for ever."""

IDLE_DRAIN = 5.0
"""Seconds without a byte after which a refused client is taken to have stopped sending."""


class RequestBody:
    """The body of one request."""

    def __init__(self, source: AsyncIterator[bytes], *, announced: int | None, timeout: float) -> None:
        """Read from `source`; `timeout` is the longest wait, in seconds, for the next `WINDOW` bytes."""
        self._source = source
        self._timeout = timeout
        self._received = 0
        self._patience = timeout
        self._window = WINDOW
        self._finished = announced == 0
        self.announced = announced

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks.

        Raises: RequestTimeout, ContentInterrupted.
        """
        while not self._finished:
            chunk = await self._next(self._patience)
            if chunk:
                yield chunk
        if self.announced is not None and self._received < self.announced:
            raise ContentInterrupted(self._received, self.announced)

    @property
    def finished(self) -> bool:
        """Whether nothing is left to read."""
        return self._finished

    @property
    def received(self) -> int:
        """Bytes read so far."""
        return self._received

    def abandon(self) -> None:
        """Take it that nothing more will come."""
        self._finished = True

    async def drain(self, *, size: int, timeout: float) -> None:  # noqa: ASYNC109 (a bound of its own, not the caller's)
        """Take and forget what the client still sends, up to `size` bytes for `timeout` seconds."""
        limit = self._received + size
        try:
            async with asyncio.timeout(timeout):
                while not self._finished and self._received < limit:
                    await self._next(IDLE_DRAIN)
        except (TimeoutError, RequestTimeout):
            self._finished = True

    async def _next(self, wait: float) -> bytes:
        """Return the next chunk, empty at the end."""
        started = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(wait):
                chunk = await self._chunk()
        except TimeoutError as error:
            raise RequestTimeout(seconds=int(self._timeout)) from error
        self._finished = not chunk
        self._received += len(chunk)
        self._patience -= asyncio.get_running_loop().time() - started
        if self._received >= self._window:
            self._window, self._patience = self._received + WINDOW, self._timeout
        return chunk

    async def _chunk(self) -> bytes:
        """Return what the server has next. Called as a method of the iterator: `anext` needs what its future lacks."""
        try:
            return await self._source.__anext__()
        except StopAsyncIteration:
            return b""


async def read_bounded(body: Body, limit: int) -> bytes:
    """Return a whole body of at most `limit` bytes; a longer one is refused before it is read to its end.

    Raises: ManifestTooLarge, RequestTimeout, ContentInterrupted.
    """
    if body.announced is not None and body.announced > limit:
        raise ManifestTooLarge(limit=limit, size=body.announced)
    chunks: list[bytes] = []
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise ManifestTooLarge(limit=limit)
        chunks.append(chunk)
    return b"".join(chunks)
