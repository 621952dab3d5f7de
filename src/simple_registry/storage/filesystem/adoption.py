"""Files of other programs, taken into the content tree: shared by the file system, linked, or copied; then verified.

    reflink, link or copy ──► hash ──► final name (`placement`)

What is hashed is what was made, so a source that changes meanwhile does no harm, unless it is linked: then its file is
ours, too. It gets a name that counts as abandoned after a crash.
"""

import errno
import fcntl
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import suppress

from simple_registry.content import LocalFile, file_fault
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.placement import Placement
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import Placed
from simple_registry.storage.sources import BytesDiffer, Transfer

READ_BYTES = 1024 * 1024

_FICLONE = 0x40049409
_NO_REFLINK = frozenset({errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM})


class FilesystemAdoption:
    """Takes files into the content tree of one data directory."""

    def __init__(self, layout: Layout, disk: Disk, threads: Threads) -> None:
        self._layout = layout
        self._disk = disk
        self._threads = threads
        self._placement = Placement(layout, disk)

    async def adopt(self, file: LocalFile, digest: Digest, transfer: Transfer) -> Placed:
        """Make the bytes of a file, which must be those of `digest`, durable content. Return their place.

        Raises: BytesDiffer, StorageFault.
        """
        return await self._threads.run(self._adopt, file, digest, transfer)

    def _adopt(self, file: LocalFile, digest: Digest, transfer: Transfer) -> Placed:
        path = self._layout.session(f"put-{uuid.uuid4()}")
        fd = file.open() if transfer is Transfer.LINK else self._disk.create(path)
        try:
            # Locked while it has this name, so that the collector does not take it for abandoned.
            self._disk.try_lock(fd)
            if transfer is Transfer.LINK:
                self._link(fd, file, path)
            else:
                self._fill(fd, file, transfer)
            actual = _hash(fd, digest.algorithm)
            if actual != digest:
                raise BytesDiffer(file.path, actual)
            if self._disk.stat_open(fd).st_size != file.size:
                raise ContentGone(f"use {file.path}", "its size changed meanwhile")
            return self._placement.link(fd, path, digest)
        finally:
            self._disk.close(fd)
            with suppress(StorageFault):  # then it counts as abandoned
                self._disk.unlink(path)

    def _link(self, fd: int, file: LocalFile, path: str) -> None:
        """Give an open file a second name."""
        action, found, place = f"link {file.path}", self._disk.stat_open(fd), self._disk.stat(self._layout.uploads)
        if found.st_uid != os.geteuid():
            raise StorageFault(action, f"it belongs to the user with id {found.st_uid}, who could change it; use -copy")
        if place is not None and place.st_dev != found.st_dev:
            raise StorageFault(action, "it is on another file system; use -copy")
        if not self._disk.link(file.path, path):
            raise StorageFault(action, "the file system or the kernel does not allow it; use -copy")
        named = self._disk.stat(path)
        if named is None or not os.path.samestat(named, found) or not stat.S_ISREG(named.st_mode):
            raise StorageFault(action, "it was replaced meanwhile, or is not a regular file")

    def _fill(self, fd: int, file: LocalFile, transfer: Transfer) -> None:
        source = file.open()
        try:
            if transfer is Transfer.COPY or not _reflink(fd, source, required=transfer is Transfer.REFLINK):
                position = 0
                for data in _pieces(source):
                    self._disk.write(fd, data, position)
                    position += len(data)
        finally:
            self._disk.close(source)


def _hash(fd: int, algorithm: str) -> Digest:
    hasher = new_hasher(algorithm)
    for data in _pieces(fd):
        hasher.update(data)
    return Digest(algorithm, hasher.hexdigest())


def _pieces(fd: int) -> Iterator[bytes]:
    """Yield the bytes of an open file. A bad sector of one file is no reason to stop at it: it raises ContentGone."""
    position = 0
    try:
        while data := os.pread(fd, READ_BYTES, position):
            yield data
            position += len(data)
    except OSError as error:
        raise file_fault(error) from error


def _reflink(fd: int, source: int, *, required: bool) -> bool:
    """Let an empty file share the bytes of another one. Return whether the file system can."""
    try:
        fcntl.ioctl(fd, _FICLONE, source)
    except OSError as error:
        if required or error.errno not in _NO_REFLINK:
            raise StorageFault("share the bytes of a file", error) from error
        return False
    return True
