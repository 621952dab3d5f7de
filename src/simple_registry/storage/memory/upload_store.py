"""The upload store in memory."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from simple_registry.clock import Clock
from simple_registry.content import ByteStream
from simple_registry.faults import SessionBusy, SessionBytesMissing, StorageFault
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.memory.content_store import MemoryContentStore
from simple_registry.storage.protocols import Condition
from simple_registry.storage.records import Blob, Placed


class MemoryUploadStore:
    """Keeps the bytes of sessions in dictionaries, and publishes them into a content store in memory."""

    def __init__(self, content: MemoryContentStore, clock: Clock) -> None:
        """Publish into `content`; the times of writes come from `clock`."""
        self._content = content
        self._clock = clock
        self.sessions: dict[str, bytearray] = {}
        self._written: dict[str, float] = {}
        self.busy: set[str] = set()

    @asynccontextmanager
    async def write(self, session: str, *, algorithm: str) -> AsyncIterator["MemoryUploadWriter"]:
        """Open the session for one writer.

        Raises: SessionBusy at once when another writer has it open.
        """
        if session in self.busy:
            raise SessionBusy(session)
        self.busy.add(session)
        data = self.sessions.setdefault(session, bytearray())
        try:
            yield MemoryUploadWriter(data, algorithm)
        finally:
            self.busy.remove(session)
            if data:
                self._written[session] = self._clock.now()
            elif self.sessions.get(session) is data:
                del self.sessions[session]

    def condition(self) -> Condition:
        """Tell that bytes can be written."""
        return Condition.WRITABLE

    def require_room(self) -> None:
        """Do nothing: there is room."""

    def has(self, session: str, received: int) -> bool:
        """Tell whether at least `received` bytes of the session are here."""
        return len(self.sessions.get(session, b"")) >= received

    async def digest(self, session: str, algorithm: str) -> Digest:
        """Return the digest of all bytes of a session in `algorithm`."""
        return digest_of(bytes(self._bytes_of(session)), algorithm)

    async def publish(self, session: str, blob: Blob) -> Placed:
        """Move a session's bytes to the content store. The caller holds the session's writer."""
        if self._content.present(blob) and session not in self.sessions:
            return Placed(())
        data = self._bytes_of(session)
        if len(data) != blob.size:
            raise StorageFault("publish an upload session", f"{len(data)} bytes are there, not {blob.size}")
        placed = await self._content.put(blob.digest, bytes(data))
        await self.remove(session)
        return placed

    async def remove(self, session: str) -> None:
        """Remove what the session still has here. An absent session is fine."""
        self.sessions.pop(session, None)
        self._written.pop(session, None)

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions whose bytes were last written before this time; the caller knows which are still open."""
        return [session for session in self.sessions if self._written.get(session, before) < before]

    def _bytes_of(self, session: str) -> bytearray:
        data = self.sessions.get(session)
        if data is None:
            raise StorageFault("read an upload session", f"{session} has no bytes here")
        return data


class MemoryUploadWriter:
    """The one writer of an upload session."""

    def __init__(self, data: bytearray, algorithm: str) -> None:
        """Write to `data`."""
        self._data = data
        self._algorithm = algorithm

    async def resume(self, received: int) -> None:
        """Stand after `received` bytes and drop later ones. Also undoes an `append` that broke off."""
        if len(self._data) < received:
            raise SessionBytesMissing("resume an upload session", f"{len(self._data)} bytes are there, not {received}")
        del self._data[received:]

    async def append(self, stream: ByteStream) -> int:
        """Write the stream at the end, and return how many bytes it held."""
        before = len(self._data)
        async for chunk in stream:
            self._data += chunk
        return len(self._data) - before

    async def digest(self) -> Digest:
        """Return the digest of all bytes, in the algorithm of the session."""
        return digest_of(bytes(self._data), self._algorithm)

    async def sync(self) -> None:
        """Do nothing: nothing here survives anything."""
