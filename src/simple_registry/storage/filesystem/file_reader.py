"""Reads files for `fsck` from the disk itself, without filling the page cache.

A check of the whole store would fill the page cache with files that nothing uses, and would miss a bad sector under a
cached file. So a file is dropped from the cache before it is read, and again afterwards unless it was cached before:
then something uses it.
"""

import errno
from collections.abc import Callable, Hashable

from simple_registry.faults import StorageFault
from simple_registry.files import FileStamp
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.inspection import ContentUnreadable

READ_BYTES = 1024 * 1024

_THIS_FILE = frozenset({errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG, errno.ELOOP, errno.EISDIR, errno.ENXIO})
"""Errors that are about one file; others, such as too many open files, are not."""


def hash_file(disk: Disk, path: str, stamp: Hashable, algorithm: str, read: Callable[[int], None]) -> Digest | None:
    """Return the digest of the file with this stamp, or `None` if it is not there. `read` is called with sizes read.

    Raises: ContentUnreadable; StorageFault for a failure that may have another cause.
    """
    try:
        fd = disk.open_read(path)
        if fd is None:
            return None
        try:
            return _hash(disk, fd, algorithm, read) if FileStamp.of(disk.stat_open(fd)) == stamp else None
        finally:
            disk.close(fd)
    except StorageFault as fault:
        raise about_one_file(fault) from fault


def about_one_file(fault: StorageFault) -> StorageFault:
    """Return ContentUnreadable for a fault that is about the file that was read, and any other as it is."""
    if isinstance(fault.__cause__, OSError) and fault.__cause__.errno in _THIS_FILE:
        return ContentUnreadable("read a file", fault.__cause__)
    return fault


def _hash(disk: Disk, fd: int, algorithm: str, read: Callable[[int], None]) -> Digest:
    used = disk.in_memory(fd)
    disk.drop_from_memory(fd)
    hasher = new_hasher(algorithm)
    position = 0
    while data := disk.read(fd, READ_BYTES, position):
        hasher.update(data)
        position += len(data)
        read(len(data))
    if not used:
        disk.drop_from_memory(fd)
    return Digest(algorithm, hasher.hexdigest())
