"""Giving a file its final name in the content tree, so that it survives a power cut.

    fsync file ──► read-only ──► rename ──► fsync directory        and, before the first rename into a directory:
                                                                   mkdir ──► fsync parent

The rename replaces what has the name in one step: nobody ever sees it missing, and a damaged file is healed.
"""

import os
import stat

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import Blob, Placed

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Placement:
    """Names content."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        """Name content in this tree."""
        self._layout = layout
        self._disk = disk
        self._durable_directories: set[str] = set()

    def present(self, blob: Blob) -> bool:
        """Tell whether a file of this size has the final name."""
        return self.placed(blob) is not None

    def placed(self, blob: Blob) -> Placed | None:
        """Return what has the final name, if it is a file of this size."""
        found = self._disk.stat(self._layout.blob(blob.digest))
        return _placed(found) if found is not None and is_content(found) and found.st_size == blob.size else None

    def give_name(self, fd: int, path: str, digest: Digest) -> Placed:
        """Move the file at `path`, open as `fd`, to the final name of `digest`, durably."""
        directory = self._directory(digest)
        self._disk.fsync(fd)
        self._disk.make_read_only(fd)  # after fsync, which would otherwise have to write the mode by itself
        target = self._layout.blob(digest)
        named = self._disk.stat(target)
        if named is not None and stat.S_ISDIR(named.st_mode):
            self._disk.rename(target, f"{target}.displaced")  # a file cannot take the place of a directory
        self._disk.rename(path, target)
        placed = _placed(self._disk.stat_open(fd))
        self._disk.fsync_directory(directory)
        return placed

    def confirm(self, blob: Blob) -> Placed | None:
        """Make content durable that already has its final name, and return what that is; `None` if it has not."""
        fd = self._disk.open_read(self._layout.blob(blob.digest)) if self.present(blob) else None
        if fd is None:
            return None
        try:
            self._disk.fsync(fd)
            placed = _placed(self._disk.stat_open(fd))
        finally:
            self._disk.close(fd)
        self._disk.fsync_directory(self._directory(blob.digest))
        return placed

    def _directory(self, digest: Digest) -> str:
        """Return the directory of a digest, which exists and is durable.

        The parent is synced even when another process made the directory: that one may not have come so far.
        """
        directory = self._layout.blob_directory(digest)
        if directory not in self._durable_directories:
            self._disk.make_directory(directory)
            self._disk.fsync_directory(os.path.dirname(directory))
            self._durable_directories.add(directory)
        return directory


def _placed(found: os.stat_result) -> Placed:
    """Return what tells a file from another of its name: numbers of inodes are given out again, with other times."""
    return Placed((found.st_ino, found.st_ctime_ns))


def is_content(found: os.stat_result) -> bool:
    """Tell whether what has a content's name can be content: a file that somebody may read."""
    return stat.S_ISREG(found.st_mode) and found.st_mode & _READABLE != 0


def require_size(actual: int, expected: int, what: str) -> None:
    """Refuse to go on with a file that does not have the size its owner believes.

    Raises: StorageFault.
    """
    if actual != expected:
        raise StorageFault(what, f"{actual} bytes are there, not {expected}")
