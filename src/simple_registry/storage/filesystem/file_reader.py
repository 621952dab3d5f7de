"""Reading files for `fsck`: what the disk has, not what memory has, and without pushing other files out of memory.

The kernel keeps what was read. A check of the whole store would fill memory with files that nobody asked for, and would
not see a bad sector under a file that is in memory already. So the kernel drops the file before it is read, and again
afterwards, unless it was in memory before: then somebody uses it, and reading it has put it back.
"""

import errno
import os
import stat
from collections.abc import Callable
from typing import TypeVar

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.disk import NAMED_FILE, Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import ContentUnreadable, Hashed, Look

READ_BYTES = 1024 * 1024

_THIS_FILE = frozenset({errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""Errors that are about one file; others, such as too many open files, are not."""

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH

_T = TypeVar("_T")


class FileReader:
    """Reads in threads."""

    def __init__(self, disk: Disk, threads: Threads) -> None:
        """Read in these threads."""
        self._disk = disk
        self._threads = threads

    async def digest(self, path: str, algorithm: str, read: Callable[[int], None]) -> Hashed | None:
        """Return the digest of a regular file, or `None` when none is there; `read` hears of bytes, from a thread.

        Raises: ContentUnreadable; StorageFault for what may not be this file's fault.
        """
        return await self._threads.run(self._opened, path, lambda fd: self._digest(fd, algorithm, read))

    async def read(self, path: str, limit: int) -> bytes | None:
        """Return the first `limit` bytes of a regular file; `None` when it is not there or cannot be read."""
        try:
            return await self._threads.run(self._opened, path, lambda fd: self._disk.read(fd, limit, 0))
        except ContentUnreadable:
            return None

    def _opened(self, path: str, use: Callable[[int], _T]) -> _T | None:
        """Return what `use` makes of the open file, or `None` when there is no regular one."""
        try:
            found = self._disk.stat(path)  # first: opening a pipe would wait for somebody to write into it
            if found is None or not stat.S_ISREG(found.st_mode):
                return None
            fd = self._disk.open_read(path)
            if fd is None:
                return None
            try:
                return use(fd)
            finally:
                self._disk.close(fd)
        except StorageFault as fault:
            if isinstance(fault.__cause__, OSError) and fault.__cause__.errno in _THIS_FILE:
                raise ContentUnreadable("read a file", fault.__cause__) from fault
            raise

    def _digest(self, fd: int, algorithm: str, read: Callable[[int], None]) -> Hashed:
        look = look_of(self._disk.stat_open(fd))
        used = self._disk.in_memory(fd)
        self._disk.drop_from_memory(fd)
        hasher = new_hasher(algorithm)
        position = 0
        while data := self._disk.read(fd, READ_BYTES, position):
            hasher.update(data)
            position += len(data)
            read(len(data))
        if not used:
            self._disk.drop_from_memory(fd)
        return Hashed(Digest(algorithm, hasher.hexdigest()), look)


def look_of(found: os.stat_result) -> Look:
    """Return what `stat` told as a look."""
    return Look(
        regular=stat.S_ISREG(found.st_mode),
        readable=stat.S_IMODE(found.st_mode) & _READABLE != 0,
        read_only=stat.S_IMODE(found.st_mode) == NAMED_FILE,
        size=found.st_size,
        changed=found.st_ctime,
        identity=(found.st_dev, found.st_ino, found.st_ctime_ns, found.st_mtime_ns),
    )


def same_file(found: os.stat_result, seen: Look) -> bool:
    """Tell whether this is the file that was seen, whatever name it has now."""
    return (found.st_dev, found.st_ino) == seen.identity[:2]
