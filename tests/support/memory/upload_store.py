"""The upload store in memory."""

from collections.abc import Sequence

from simple_registry.clock import Clock
from simple_registry.content import ByteStream
from simple_registry.faults import SessionBytesMissing
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.protocols.content import Condition
from simple_registry.storage.records import Placed, Received
from support.memory.content_store import MemoryContentStore


class MemoryUploadStore:
    """Stores the bytes of sessions in dictionaries, and publishes them into a content store in memory."""

    def __init__(self, content: MemoryContentStore, clock: Clock) -> None:
        """Publish into `content`; the times of writes come from `clock`."""
        self._content = content
        self._clock = clock
        self.sessions: dict[str, bytes] = {}
        self._written: dict[str, float] = {}
        self.busy: set[str] = set()

    def condition(self) -> Condition:
        """Return that writes are possible."""
        return Condition.WRITABLE

    def require_room(self) -> None:
        """Do nothing: there is room."""

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the received bytes exist."""
        return len(self.sessions.get(session, b"")) >= received.size

    async def extend(
        self,
        session: str,
        received: Received,
        algorithm: str,
        stream: ByteStream,
        *,
        last: bool = False,
    ) -> Received:
        """Append a stream to the received bytes; a failure changes nothing."""
        self.busy.add(session)
        try:
            chunks = [chunk async for chunk in stream]
        finally:
            self.busy.remove(session)
        data = b"".join((self._bytes_of(session, received), *chunks))
        if len(data) == received.size:
            return received
        self.sessions[session] = data
        self._written[session] = self._clock.now()
        return Received(len(data), digest_of(data, algorithm))

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Return the digest of the received bytes in `algorithm`."""
        return digest_of(self._bytes_of(session, received), algorithm)

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
        """Put the received bytes into the content store."""
        return await self._content.put(digest, self._bytes_of(session, received))

    async def discard(self, session: str, received: Received) -> None:
        """Remove all bytes of the session, if there are any."""
        self.sessions.pop(session, None)
        self._written.pop(session, None)

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time, and not being written."""
        return [name for name, when in self._written.items() if when < before and name not in self.busy]

    def _bytes_of(self, session: str, received: Received) -> bytes:
        data = self.sessions.get(session, b"")
        if len(data) < received.size:
            raise SessionBytesMissing("read an upload session", f"{len(data)} bytes are there, not {received.size}")
        return data[: received.size]
