"""Gives a file its final name in the content tree, durably.

    read-only ──► link ──► fsync file ──► fsync directory        the name is free
    read-only ──► fsync file ──► rename ──► fsync directory      the name is taken
    mkdir ──► fsync parent                                       before the first name in a directory

A free name may become durable before its bytes, because content exists only by its row, which is committed last. One
commit of the journal then covers both, and the second sync has nothing to write. A taken name may be that of whole
content. So its file is replaced in one step, by durable bytes only: readers always find a whole file, and a damaged one
is healed.

The file keeps its first name, so that an upload can repeat this step until its row is committed. A file with two names
is never written.
"""

import os
import stat
import uuid
from collections.abc import Callable
from typing import TypeVar

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import Place, Placed

PLACE = Place("")
"""The place of all content: the path of a file follows from its digest."""

_T = TypeVar("_T")

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Placement:
    """Names content."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        """Name content in this tree."""
        self._layout = layout
        self._disk = disk
        self._durable_directories: set[str] = set()

    def link(self, fd: int, path: str, digest: Digest) -> Placed:
        """Give the file at `path`, open as `fd`, the final name of `digest` as a second name, durably.

        On a file system without hard links, the file is renamed instead.
        """
        target = self._layout.blob(digest)
        self._disk.make_read_only(fd)
        if self._in_directory(digest, lambda: self._disk.link(path, target)):
            self._disk.fsync(fd)
        else:
            self._disk.fsync(fd)
            self._in_directory(digest, lambda: self._replace(path, target))
        self._disk.fsync_directory(self._layout.blob_directory(digest))
        return Placed(PLACE, stamp_of(self._disk.stat_open(fd)))

    def _replace(self, path: str, target: str) -> None:
        self.displace(target)
        second = self._layout.session(f"put-{uuid.uuid4()}")  # abandoned after a crash
        if not self._disk.link(path, second):
            self._disk.rename(path, target)
            return
        self._disk.rename(second, target)
        self._disk.unlink(second)  # rename(2) does nothing if both are names of one file

    def _in_directory(self, digest: Digest, name: Callable[[], _T]) -> _T:
        """Call `name` once the directory of a digest exists, and return its result."""
        directory = self._directory(digest)
        try:
            return name()
        except StorageFault:
            if self._disk.stat(directory) is not None:
                raise
            # Another program removed the directory, which was empty.
            self._durable_directories.discard(directory)
            self._directory(digest)
            return name()

    def displace(self, target: str) -> None:
        """Rename a directory that has the final name of content."""
        named = self._disk.stat(target)
        if named is not None and stat.S_ISDIR(named.st_mode):
            self._disk.rename(target, f"{target}.displaced")  # a rename cannot replace a directory by a file

    def _directory(self, digest: Digest) -> str:
        """Return the directory of a digest, after making it durable.

        The parent is synced even if another process made the directory, because that one may not have synced it yet.
        """
        directory = self._layout.blob_directory(digest)
        if directory not in self._durable_directories:
            self._disk.make_directory(directory)
            self._disk.fsync_directory(os.path.dirname(directory))
            self._durable_directories.add(directory)
        return directory


def stamp_of(found: os.stat_result) -> str:
    """Return the stamp of a file. Other names of it do not change the stamp; its size is known from its row."""
    return f"{found.st_ino:x}.{found.st_mtime_ns:x}"


def is_content(found: os.stat_result) -> bool:
    """Return whether a file can be content: a regular one whose mode allows reading."""
    return stat.S_ISREG(found.st_mode) and found.st_mode & _READABLE != 0
