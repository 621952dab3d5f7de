"""The upload store as files: one for each session, renamed into the content tree when its digest was verified.

While a file is written it is locked (`flock`), as is a manifest that is being written beside the sessions: so nothing
that is being written counts as abandoned, whatever the clock says.
"""

from collections.abc import Sequence

from simple_registry.content import ByteStream
from simple_registry.faults import SessionBytesMissing, StorageFull, StorageReadOnly
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.hash_states import HashStates
from simple_registry.storage.filesystem.layout import Layout, is_session
from simple_registry.storage.filesystem.placement import PLACE, Placement
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_writer import Extension, hash_file, own_file, write_batches
from simple_registry.storage.protocols import Condition
from simple_registry.storage.records import Place, Received

MIN_ROOM = 1024 * 1024
"""Bytes below which no upload begins: clients that try again and again would use up the room that rows need."""


class FilesystemUploadStore:
    """Keeps the bytes of sessions below `Layout.uploads`."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        """Keep sessions in this tree, which exists."""
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._placement = Placement(layout, disk)
        self._states = HashStates()

    def condition(self) -> Condition:
        """Return whether bytes can be written, by trying: a disk that failed is read-only only then."""
        try:
            self.require_room()
            self._disk.touch(self._layout.uploads)
        except StorageFull:
            return Condition.FULL
        except StorageReadOnly:
            return Condition.READ_ONLY
        return Condition.WRITABLE

    def require_room(self) -> None:
        """Raise StorageFull, or StorageReadOnly, when it is plain that no upload can succeed."""
        room = self._disk.room(self._layout.uploads)
        if room < MIN_ROOM:
            raise StorageFull("take an upload", f"{room} bytes are left on the disk")

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the received bytes are here and can be continued. Done without a thread: it is one lookup."""
        file = self._disk.stat(self._layout.session(session))
        return received.size <= (0 if file is None else file.st_size)

    async def extend(
        self, session: str, received: Received, algorithm: str, stream: ByteStream, *, last: bool = False
    ) -> Received:
        """Add a stream to the session's file, durably unless it is the `last` one.

        Raises: SessionBytesMissing, StorageFault, and what the stream raises.
        """
        extension = Extension(session, received, algorithm, layout=self._layout, disk=self._disk, states=self._states)
        try:
            await write_batches(stream, extension, self._threads)
            if extension.is_empty:
                return await self._unchanged(session, received)
            return extension.value() if last else await self._threads.run(extension.sync)
        except BaseException:
            if not extension.is_empty:
                await self._threads.run(extension.undo)
            raise
        finally:
            extension.close()

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Read the received bytes and return their digest in `algorithm`."""
        if received.size == 0:
            return digest_of(b"", algorithm)
        return await self._threads.run(self._digest, session, received, algorithm)

    async def publish(self, session: str, received: Received, digest: Digest) -> Place:
        """Give the received bytes their final name, durably; they keep that of the session, too."""
        await self._threads.run(self._publish, session, received, digest)
        return PLACE

    async def discard(self, session: str, received: Received) -> None:  # noqa: ARG002 (it is one file)
        """Remove the session's file. An absent one is fine."""
        self._states.drop(session)
        await self._threads.run(self._disk.unlink, self._layout.session(session))

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time, and not being written."""
        return await self._threads.run(self._abandoned, before)

    async def _unchanged(self, session: str, received: Received) -> Received:
        if not await self.has(session, received):
            raise SessionBytesMissing("extend an upload session", f"{session} lacks received bytes")
        return received

    def _digest(self, session: str, received: Received, algorithm: str) -> Digest:
        fd = self._disk.open_read(self._layout.session(session))
        if fd is None:
            raise SessionBytesMissing("read an upload session", f"{session} has no bytes here")
        try:
            return Digest(algorithm, hash_file(self._disk, fd, received.size, algorithm).hexdigest())
        finally:
            self._disk.close(fd)

    def _publish(self, session: str, received: Received, digest: Digest) -> None:
        path = self._layout.session(session)
        named = self._disk.stat(path)
        if named is None and received.size:
            raise SessionBytesMissing("publish an upload session", f"{session} has no bytes here")
        if named is not None and named.st_size != received.size:
            own_file(self._layout, self._disk, session, received.size)
        fd = self._disk.open_write(path)
        try:
            size = self._disk.stat_open(fd).st_size
            if size < received.size:
                raise SessionBytesMissing("publish an upload session", f"{session} has {size} bytes")
            if size > received.size:
                self._disk.truncate(fd, received.size)
            self._placement.link(fd, path, digest)
        finally:
            self._disk.close(fd)
        self._states.drop(session)

    def _abandoned(self, before: float) -> list[str]:
        if self._disk.stat(self._layout.uploads) is None:
            return []  # in a backup, which leaves them out
        sessions = filter(is_session, self._disk.names(self._layout.uploads))
        return [session for session in sessions if self._is_abandoned(session, before)]

    def _is_abandoned(self, session: str, before: float) -> bool:
        path = self._layout.session(session)
        file = self._disk.stat(path)
        if file is None or file.st_mtime >= before:
            return False
        fd = self._disk.open_read(path)
        if fd is None:
            return False
        try:
            return self._disk.try_lock(fd)
        finally:
            self._disk.close(fd)
