"""The content store as files: one per digest, read-only under its name, shared by all repositories."""

import uuid
from contextlib import suppress

from simple_registry.content import Content, LocalFile
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.data_directory import ContentTree
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.placement import Placement, is_content, stamp_of
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import ContentRecord, Placed


class FilesystemContentStore:
    """Keeps content below `Layout.blobs`."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._placement = Placement(layout, disk)
        self._tree = ContentTree(disk, layout)

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` if there is no file of this size.

        Runs on the event loop: one lookup in the kernel's name cache is far cheaper than a thread switch.

        Raises: StorageFault when the data directory is gone.
        """
        path = self._layout.blob(record.digest)
        found = self._disk.stat(path)
        if found is None or not is_content(found) or found.st_size != record.size:
            self.check()
            return None
        return LocalFile(path, found.st_size, (found.st_ino, found.st_mtime_ns, found.st_ctime_ns), stamp_of(found))

    async def has(self, record: ContentRecord) -> bool:
        """Return whether there is a file of this size."""
        return await self.open(record) is not None

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Store small content durably, replacing damaged bytes. Return its place."""
        return await self._threads.run(self._put, digest, data)

    async def remove(self, record: ContentRecord) -> None:
        """Remove the file of content, if there is one. Raise StorageFault if the data directory is gone."""
        await self._threads.run(self._remove, self._layout.blob(record.digest))

    def check(self) -> None:
        """Raise StorageFault unless the data directory exists, with the `blobs/` that it had at the start.

        While it is unmounted, or replaced by a backup, its files only seem to be removed: without this check, all
        content that is read would be marked as damaged.
        """
        if self._disk.stat(self._layout.format) is None:
            raise StorageFault("look for content", f"the data directory {self._layout.root} is gone")
        self._tree.check()

    def _remove(self, path: str) -> None:
        self._placement.displace(path)
        if not self._disk.unlink(path):
            self.check()  # an unreachable tree is not an absent file

    def _put(self, digest: Digest, data: bytes) -> Placed:
        """Write a file under the name of a session, so that it counts as abandoned after a crash."""
        path = self._layout.session(f"put-{uuid.uuid4()}")
        fd = self._disk.create(path)
        try:
            self._disk.try_lock(fd)  # as the writer of a session does, so that it does not count as abandoned yet
            self._disk.write(fd, data, 0)
            return self._placement.link(fd, path, digest)
        finally:
            self._disk.close(fd)
            with suppress(StorageFault):  # then it counts as abandoned
                self._disk.unlink(path)
