"""The upload store as files: one for each session, linked into the content tree once its digest is verified.

The file of a session is locked (`flock`) while it is written, and so is that of a manifest: so it never counts as
abandoned meanwhile, whatever the time.
"""

from collections.abc import Sequence

from simple_registry.content import ByteStream
from simple_registry.faults import SessionBytesMissing, StorageFull, StorageReadOnly
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.hash_states import HashStates
from simple_registry.storage.filesystem.layout import Layout, is_session
from simple_registry.storage.filesystem.placement import Placement
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_writer import Extension, hash_file, own_file, write_batches
from simple_registry.storage.protocols.content import Condition
from simple_registry.storage.records import Placed, Received

MIN_ROOM = 1024 * 1024
"""Free bytes below which no upload starts: clients that retry would use up the space that rows need."""


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
        """Return whether bytes can be written. Tries a write: only that reveals a disk that failed."""
        try:
            self.require_room()
            self._disk.touch(self._layout.uploads)
        except StorageFull:
            return Condition.FULL
        except StorageReadOnly:
            return Condition.READ_ONLY
        return Condition.WRITABLE

    def require_room(self) -> None:
        """Raise StorageFull or StorageReadOnly if a quick check shows that no upload can succeed."""
        room = self._disk.room(self._layout.uploads)
        if room < MIN_ROOM:
            raise StorageFull("start an upload", f"{room} bytes are left on the disk")

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the session has the received bytes. Runs on the event loop: it is one lookup."""
        file = self._disk.stat(self._layout.session(session))
        return received.size <= (0 if file is None else file.st_size)

    async def extend(
        self, session: str, received: Received, algorithm: str, stream: ByteStream, *, last: bool = False
    ) -> Received:
        """Append a stream to the session's file, durably unless it is the `last` one.

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

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
        """Give the received bytes their final name, durably. They keep the name of the session, too."""
        return await self._threads.run(self._publish, session, received, digest)

    async def discard(self, session: str, received: Received) -> None:  # noqa: ARG002 (it is one file)
        """Remove the session's file, if it exists."""
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
            raise SessionBytesMissing("read an upload session", f"{session} has no bytes")
        try:
            return Digest(algorithm, hash_file(self._disk, fd, received.size, algorithm).hexdigest())
        finally:
            self._disk.close(fd)

    def _publish(self, session: str, received: Received, digest: Digest) -> Placed:
        path = self._layout.session(session)
        named = self._disk.stat(path)
        if named is None and received.size:
            raise SessionBytesMissing("publish an upload session", f"{session} has no bytes")
        if named is not None and named.st_size != received.size:
            own_file(self._layout, self._disk, session, received.size)
        fd = self._disk.open_write(path)
        try:
            size = self._disk.stat_open(fd).st_size
            if size < received.size:
                raise SessionBytesMissing("publish an upload session", f"{session} has {size} bytes")
            if size > received.size:
                self._disk.truncate(fd, received.size)
            placed = self._placement.link(fd, path, digest)
        finally:
            self._disk.close(fd)
        self._states.drop(session)
        return placed

    def _abandoned(self, before: float) -> list[str]:
        if self._disk.stat(self._layout.uploads) is None:
            return []  # a backup omits them
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
