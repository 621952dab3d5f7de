"""The content store and the upload store over whole objects.

    content/<algorithm>/<hex>/<id>     content; the id is another for every push, so no push replaces another's bytes
    uploads/<session>/<id>             one part of what a session received

What a session received names its parts in order (`Received.state`). Parts that it does not name do not count.
"""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simple_registry.content import ByteStream, Content, Span
from simple_registry.faults import ContentGone, SessionBytesMissing
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.protocols.content import Condition
from simple_registry.storage.records import ContentRecord, Place, Placed, Received
from support.object_store.client import Objects
from support.streams import stream_of

if TYPE_CHECKING:
    from hashlib import _Hash as Hasher

PART = 1024 * 1024
"""Bytes of a part, before which nothing is sent: a client may send single bytes."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """Content in the object server."""

    objects: Objects
    key: str
    size: int
    stamp: str = field(default="", init=False)
    url: None = field(default=None, init=False)

    @property
    def version(self) -> Hashable:
        """The key: what has it never changes."""
        return self.key

    async def read(self) -> bytes:
        """Return all of it."""
        return b"".join([piece async for piece in self.stream(Span(0, self.size))])

    async def feed(self, take: Callable[[bytes], None]) -> None:
        """Pass all of it to `take`."""
        async for piece in self.stream(Span(0, self.size)):
            take(piece)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it; what is before that is read, too."""
        position = 0
        try:
            async for piece in self.objects.get(self.key):
                wanted = piece[max(0, span.start - position) : max(0, span.stop - position)]
                position += len(piece)
                if wanted:
                    yield wanted
                if position >= span.stop:
                    return
        except KeyError as error:
            raise ContentGone("read content", error) from error


class ObjectContentStore:
    """Keeps content as objects."""

    def __init__(self, objects: Objects) -> None:
        """Keep them in this server."""
        self._objects = objects

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` when no object of this size is at its place."""
        return StoredObject(self._objects, record.place, record.size) if await self.has(record) else None

    async def has(self, record: ContentRecord) -> bool:
        """Return whether an object of this size is at its place."""
        return bool(record.place) and await self._objects.size(record.place) == record.size

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Keep small content. Returns where."""
        place = new_place(digest)
        await self._objects.put(place, len(data), stream_of(data))
        return Placed(place)

    async def remove(self, record: ContentRecord) -> None:
        """Remove the object at a place. An absent one is fine."""
        await self._objects.delete(record.place)

    def check(self) -> None:
        """Do nothing: requests notice that the server is away."""


class ObjectUploadStore:
    """Keeps the bytes of sessions as objects."""

    def __init__(self, objects: Objects) -> None:
        """Keep them in this server."""
        self._objects = objects
        self._hashers: dict[str, tuple[str, Hasher]] = {}
        """Of sessions that this process extended: the state of what was received, and its hash state."""
        self._extending: set[str] = set()

    def condition(self) -> Condition:
        """Return that bytes can be written."""
        return Condition.WRITABLE

    def require_room(self) -> None:
        """Do nothing: requests notice that there is none."""

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the parts of what was received are here."""
        found = {entry.key: entry.size for entry in await self._objects.list(_prefix(session))} if received.size else {}
        return sum(found.get(part, 0) for part in _parts(session, received)) == received.size

    async def extend(
        self,
        session: str,
        received: Received,
        algorithm: str,
        stream: ByteStream,
        *,
        last: bool = False,
    ) -> Received:
        """Add a stream to what was received, as further parts."""
        await self._require(session, received)
        self._extending.add(session)
        try:
            hasher: Hasher | None = None
            names, size = received.state.split(), received.size
            async for part in _in_parts(stream):
                hasher = hasher or await self._hasher(session, received, algorithm)
                hasher.update(part)
                names.append(uuid.uuid4().hex)
                size += len(part)
                await self._objects.put(f"{_prefix(session)}{names[-1]}", len(part), stream_of(part))
        finally:
            self._extending.remove(session)
        if hasher is None:
            return received
        extended = Received(size, Digest(algorithm, hasher.hexdigest()), " ".join(names))
        self._hashers[session] = (f"{algorithm} {extended.state}", hasher)
        return extended

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Read what was received and return its digest in `algorithm`."""
        return Digest(algorithm, (await self._hash(session, received, algorithm)).hexdigest())

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
        """Copy what was received into one object, and return where that is."""
        await self._require(session, received)
        place = new_place(digest)
        await self._objects.put(place, received.size, self._read(session, received))
        return Placed(place)

    async def discard(self, session: str, received: Received) -> None:
        """Remove all parts of the session. An absent one is fine."""
        self._hashers.pop(session, None)
        for entry in await self._objects.list(_prefix(session)):
            await self._objects.delete(entry.key)

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time, and not being written by this process."""
        written: dict[str, float] = {}
        for entry in await self._objects.list("uploads/"):
            session = entry.key.split("/")[1]
            written[session] = max(entry.put, written.get(session, 0.0))
        return [session for session, put in written.items() if put < before and session not in self._extending]

    async def _require(self, session: str, received: Received) -> None:
        if not await self.has(session, received):
            raise SessionBytesMissing("use an upload session", f"{session} lacks parts")

    async def _hasher(self, session: str, received: Received, algorithm: str) -> "Hasher":
        """Return a hash state to feed; what another process received is read once."""
        state, hasher = self._hashers.get(session, ("", None))
        if hasher is None or state != f"{algorithm} {received.state}":
            return await self._hash(session, received, algorithm)
        return hasher.copy()

    async def _hash(self, session: str, received: Received, algorithm: str) -> "Hasher":
        await self._require(session, received)
        hasher = new_hasher(algorithm)
        async for piece in self._read(session, received):
            hasher.update(piece)
        return hasher

    async def _read(self, session: str, received: Received) -> AsyncIterator[bytes]:
        try:
            for part in _parts(session, received):
                async for piece in self._objects.get(part):
                    yield piece
        except KeyError as error:
            raise SessionBytesMissing("read an upload session", f"{session} lacks {error}") from error


def new_place(digest: Digest) -> Place:
    """Return a place that nothing has."""
    return Place(f"content/{digest.algorithm}/{digest.encoded}/{uuid.uuid4().hex}")


def _prefix(session: str) -> str:
    return f"uploads/{session}/"


def _parts(session: str, received: Received) -> Sequence[str]:
    return [f"{_prefix(session)}{name}" for name in received.state.split()]


async def _in_parts(stream: ByteStream) -> AsyncIterator[bytes]:
    """Yield what a stream holds in parts of `PART` bytes, but for the last one."""
    part = bytearray()
    async for chunk in stream:
        part += chunk
        while len(part) >= PART:
            yield bytes(part[:PART])
            del part[:PART]
    if part:
        yield bytes(part)
