"""The content store as files: one per digest, read-only under its name, shared by all repositories."""

import uuid

from simple_registry.content import Content, LocalFile
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.placement import Placement, is_content
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import Blob, Placed


class FilesystemContentStore:
    """Keeps content below `Layout.blobs`."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        """Keep content in this tree, which exists."""
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._placement = Placement(layout, disk)

    def present(self, blob: Blob) -> bool:
        """Tell at once whether content with this digest and this size has its final name.

        Raises: StorageFault when the data directory is gone.
        """
        present = self._placement.present(blob)
        if not present:
            self.check()
        return present

    def vouch(self, blob: Blob, placed: Placed | None, known: bool) -> bool:  # noqa: FBT001 (see the protocol)
        """Tell whether the content is there, and durable.

        Another push may have put its own file in the place of ours and not have come to make the name durable: after a
        power cut there would be neither, if the collector took ours before.

        Raises: StorageFault.
        """
        found = self._placement.placed(blob)
        if found is None:
            self.check()
            return False
        return known or found == placed or self._placement.confirm(blob) is not None

    async def open(self, digest: Digest) -> Content | None:
        """Return the content, or `None` when it is not here.

        Done without a thread: it is one lookup in the kernel's cache of names, far shorter than changing threads.

        Raises: StorageFault when the data directory is gone.
        """
        path = self._layout.blob(digest)
        found = self._disk.stat(path)
        if found is None or not is_content(found):
            self.check()
            return None
        return LocalFile(path, found.st_size, (found.st_ino, found.st_mtime_ns, found.st_ctime_ns))

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Keep small content durably, in the place of whatever is there, which also heals a damaged file."""
        return await self._threads.run(self._put, digest, data)

    def remove(self, digest: Digest) -> None:
        """Remove content; called only by the callback of `GarbageRows.forget`. Absent content is fine."""
        self._disk.unlink(self._layout.blob(digest))

    def check(self) -> None:
        """Raise StorageFault unless the data directory is there.

        One that is unmounted, or moved away, would look like one whose files somebody removed: clients would be told
        that nothing is here, and would believe it.
        """
        if self._disk.stat(self._layout.format) is None or self._disk.stat(self._layout.blobs) is None:
            raise StorageFault("look for content", f"the data directory {self._layout.root} is gone")

    def _put(self, digest: Digest, data: bytes) -> Placed:
        """Write a file under a name that a session could have, so that what a crash leaves counts as abandoned."""
        path = self._layout.session(f"put-{uuid.uuid4()}")
        fd = self._disk.create(path)
        try:
            self._disk.try_lock(fd)  # as the writer of a session does: nobody takes it for abandoned
            self._disk.write(fd, data, 0)
            return self._placement.give_name(fd, path, digest)
        except BaseException:
            self._disk.unlink(path)
            raise
        finally:
            self._disk.close(fd)
