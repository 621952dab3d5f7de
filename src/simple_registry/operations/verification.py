"""Verification of content whose bytes may have changed since a push verified them.

The row of content has the stamp of the bytes that were verified. Bytes of another stamp (edited, restored from a
backup, swapped) are verified before they count; then the row gets their stamp.

    whole read                hashed while it is sent; the last piece waits for the digest
    part, HEAD, mount, push   wait for one verification in this process

Of content without a stamp, as after an upgrade, only reads are verified: a HEAD must not wait for every layer of the
store. Bytes that changed while their stamp did not are found by `scrub`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Hashable
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from simple_registry.bounded_cache import BoundedCache
from simple_registry.content import Content, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.oci.errors import Unavailable
from simple_registry.operations.side_writes import SideWrites
from simple_registry.storage.protocols.collection import ContentRows
from simple_registry.storage.records import ContentRecord

MAX_WAIT = 30.0
"""Seconds that a request waits for a verification, which then continues in the background."""

MAX_AT_ONCE = 2
"""Contents that each process verifies at once."""

MAX_PENDING = 1000
"""Contents that wait for that. Requests for further ones are refused."""

MAX_REMEMBERED = 10_000
"""Contents of which each process remembers that they are verified, in case their rows cannot be written."""


class Verification:
    """The verified content, and the verifications under way."""

    def __init__(self, rows: ContentRows, mark_damaged: Callable[[ContentRecord], Awaitable[None]]) -> None:
        self._rows = rows
        self._mark_damaged = mark_damaged
        self._marks = SideWrites()
        self._verified: BoundedCache[Digest, Hashable] = BoundedCache(MAX_REMEMBERED)
        self._running: dict[tuple[Digest, Hashable], asyncio.Task[bool]] = {}
        self._turns = asyncio.Semaphore(MAX_AT_ONCE)

    def is_verified(self, record: ContentRecord, content: Content) -> bool:
        """Return whether these bytes were verified."""
        return content.stamp == record.stamp or self._verified.find(record.digest) == content.version

    def checked(self, record: ContentRecord, content: Content) -> Content:
        """Return content that is verified when it is read, if it was not before."""
        return content if self.is_verified(record, content) else Unverified(content, record, self)

    async def verify(self, record: ContentRecord, content: Content) -> bool:
        """Return whether the bytes are those of the digest. If they are not, mark the row as damaged.

        Raises: Unavailable when that takes longer than `MAX_WAIT`; StorageFault.
        """
        if self.is_verified(record, content):
            return True
        key = (record.digest, content.version)
        task = self._running.get(key)
        if task is None:
            if len(self._running) >= MAX_PENDING:
                raise Unavailable(note="too much content waits to be verified")
            task = self._running[key] = asyncio.get_running_loop().create_task(self._verify(record, content))
            task.add_done_callback(partial(self._ended, key))
        done, _pending = await asyncio.wait([task], timeout=MAX_WAIT)
        if not done:
            raise Unavailable(note=f"content {record.digest} is being verified, because its file was changed")
        return task.result()

    async def settle(self, record: ContentRecord, content: Content, actual: Digest | None) -> bool:
        """Keep the result of a verification: the digest of the bytes, `None` if they cannot be read."""
        if actual != record.digest:
            await self._mark_damaged(record)
            return False
        key = (record.digest, content.version)
        self._verified.keep(*key)
        await self._marks.write(key, partial(self._rows.mark_verified, {record: content.stamp}))
        return True

    async def _verify(self, record: ContentRecord, content: Content) -> bool:
        hasher = new_hasher(record.digest.algorithm)
        try:
            async with self._turns:
                await content.feed(hasher.update)
        except ContentGone:
            return await self.settle(record, content, None)
        return await self.settle(record, content, Digest(record.digest.algorithm, hasher.hexdigest()))

    def _ended(self, key: tuple[Digest, Hashable], task: asyncio.Task[bool]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # the requests that waited for it may be gone


@dataclass(frozen=True, slots=True)
class Unverified:
    """Content that is verified while it is read."""

    content: Content
    record: ContentRecord
    verification: Verification

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.content.size

    @property
    def version(self) -> Hashable:
        """The version of the content."""
        return self.content.version

    @property
    def stamp(self) -> str:
        """The stamp of the content."""
        return self.content.stamp

    @property
    def url(self) -> str | None:
        """The URL of the content."""
        return self.content.url

    async def read(self) -> bytes:
        """Return all bytes.

        Raises: ContentGone, StorageFault.
        """
        return b"".join([piece async for piece in self.stream(Span(0, self.size))])

    async def feed(self, take: Callable[[bytes], None]) -> None:
        """Pass all bytes to `take`, unverified: it may be what verifies them."""
        await self.content.feed(take)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield a span. The last piece of the whole comes only if its digest is right, a part only after verification.

        Raises: ContentGone if the digest is wrong; StorageFault.
        """
        pieces = self._whole() if span.size == self.size else self._part(span)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def _whole(self) -> AsyncGenerator[bytes, None]:
        hasher = new_hasher(self.record.digest.algorithm)
        held = b""
        async with aclosing(self.content.stream(Span(0, self.size))) as pieces:
            async for piece in pieces:
                if held:
                    yield held
                hasher.update(piece)
                held = piece
        actual = Digest(self.record.digest.algorithm, hasher.hexdigest())
        if not await self.verification.settle(self.record, self.content, actual):
            raise ContentGone("read content", f"its digest is {actual}")
        if held:
            yield held

    async def _part(self, span: Span) -> AsyncGenerator[bytes, None]:
        try:
            sound = await self.verification.verify(self.record, self.content)
        except Unavailable as error:
            raise StorageFault("read content", error.note or "it is being verified") from error
        if not sound:
            raise ContentGone("read content", "its bytes were changed")
        async with aclosing(self.content.stream(span)) as pieces:
            async for piece in pieces:
                yield piece
