"""The upload store as files: one per session, written by one writer, renamed into the content tree when done.

A writer holds the lock of the byte of `uploads.lock` that its session's name leads to. So it has the session until it
lets go, also when the session's file has its final name already, and its lock ends with its process, however that ends.
"""

import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from simple_registry.faults import SessionBusy, StorageFault, StorageFull, StorageReadOnly
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.hash_states import HashStates
from simple_registry.storage.filesystem.layout import Layout, is_session
from simple_registry.storage.filesystem.placement import Placement, require_size
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_writer import FilesystemUploadWriter, hash_file
from simple_registry.storage.protocols import Condition
from simple_registry.storage.records import Blob, Placed

LEAST_ROOM = 1024 * 1024
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

    @asynccontextmanager
    async def write(self, session: str, *, algorithm: str) -> AsyncIterator[FilesystemUploadWriter]:
        """Open the session for one writer.

        Raises: SessionBusy at once when another writer, in any process, has it open.
        """
        opening = self._threads.start(self._open, session, algorithm)
        try:
            writer = await opening.finish()
        except BaseException:
            if not opening.failed:
                (await opening.finish()).close()  # it has ended: this does not wait
            raise
        try:
            yield writer
        finally:
            writer.close()

    def condition(self) -> Condition:
        """Tell whether bytes can be written, which is tried: a disk that failed says that it is read-only only then."""
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
        if room < LEAST_ROOM:
            raise StorageFull("take an upload", f"{room} bytes are left on the disk")

    def has(self, session: str, received: int) -> bool:
        """Tell whether at least `received` bytes of the session are here."""
        if received == 0:
            return True
        file = self._disk.stat(self._layout.session(session))
        return file is not None and file.st_size >= received

    async def digest(self, session: str, algorithm: str) -> Digest:
        """Read all bytes of a session and return their digest in `algorithm`."""
        return await self._threads.run(self._digest, session, algorithm)

    async def publish(self, session: str, blob: Blob) -> Placed:
        """Give a session's durable bytes their final name, durably. The caller holds the session's writer."""
        return await self._threads.run(self._publish, session, blob)

    async def remove(self, session: str) -> None:
        """Remove what the session still has here. An absent session is fine."""
        self._states.drop(session)
        await self._threads.run(self._disk.unlink, self._layout.session(session))

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions whose bytes were last written before this time; the caller knows which are still open."""
        return await self._threads.run(self._abandoned, before)

    def _open(self, session: str, algorithm: str) -> FilesystemUploadWriter:
        """Lock the session, then open its file. The file itself is no lock: a publish gives its name away."""
        lock = self._disk.open_locked(self._layout.uploads_lock, _byte_of(session))
        if lock is None:
            raise SessionBusy(session)
        try:
            fd = self._open_file(session)
        except BaseException:
            self._disk.close(lock)
            raise
        return FilesystemUploadWriter(
            session,
            algorithm,
            fd,
            lock,
            layout=self._layout,
            disk=self._disk,
            threads=self._threads,
            states=self._states,
        )

    def _open_file(self, session: str) -> int:
        """Open and lock a session's file.

        The lock tells `fsck` that somebody writes to it, and us that this is no session, but a manifest being written.
        """
        fd = self._disk.open_write(self._layout.session(session))
        try:
            ours = self._disk.try_lock(fd)
        except BaseException:
            self._disk.close(fd)
            raise
        if not ours:
            self._disk.close(fd)
            raise SessionBusy(session)
        return fd

    def _digest(self, session: str, algorithm: str) -> Digest:
        fd = self._disk.open_read(self._layout.session(session))
        if fd is None:
            raise StorageFault("read an upload session", f"{session} has no bytes here")
        try:
            size = self._disk.stat_open(fd).st_size
            return Digest(algorithm, hash_file(self._disk, fd, size, algorithm).hexdigest())
        finally:
            self._disk.close(fd)

    def _publish(self, session: str, blob: Blob) -> Placed:
        path = self._layout.session(session)
        fd = self._disk.open_read(path)
        if fd is None:
            # A first call came this far and was cut off, or its answer was lost.
            confirmed = self._placement.confirm(blob)
            if confirmed is None:
                raise StorageFault("publish an upload session", f"{session} has no bytes here")
            return confirmed
        try:
            require_size(self._disk.stat_open(fd).st_size, blob.size, "publish an upload session")
            placed = self._placement.give_name(fd, path, blob.digest)
        finally:
            self._disk.close(fd)
        self._states.drop(session)
        return placed

    def _abandoned(self, before: float) -> list[str]:
        sessions = filter(is_session, self._disk.names(self._layout.uploads))
        return [session for session in sessions if self._written_before(session, before)]

    def _written_before(self, session: str, before: float) -> bool:
        file = self._disk.stat(self._layout.session(session))
        return file is not None and file.st_mtime < before


def _byte_of(session: str) -> int:
    """Return which byte stands for a session: of so many that two sessions never meet at one."""
    return int.from_bytes(hashlib.blake2b(session.encode(), digest_size=7).digest())
