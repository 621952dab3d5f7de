"""Giving a file its final name in the content tree, so that it survives a power cut.

    fsync file ──► read-only ──► link or rename ──► fsync directory     and, before the first name in a directory:
                                                                        mkdir ──► fsync parent

The name is given in one step, in the place of what has it: no reader ever misses it, and a damaged file is healed. A
session's file gets a second name, so that its upload can begin again at the naming until its row is committed. The two
names are one file: a session with such a file is never extended.
"""

import os
import stat
import uuid
from collections.abc import Callable

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import Place

PLACE = Place("")
"""A digest leads to its file: there is one place for each."""

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Placement:
    """Names content."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        """Name content in this tree."""
        self._layout = layout
        self._disk = disk
        self._durable_directories: set[str] = set()

    def move(self, fd: int, path: str, digest: Digest) -> None:
        """Give the file at `path`, open as `fd`, the final name of `digest` in the place of its own, durably."""

        def move(target: str) -> None:
            self.make_way(target)
            self._disk.rename(path, target)

        self._name(fd, digest, move)

    def link(self, fd: int, path: str, digest: Digest) -> None:
        """Give the file at `path`, open as `fd`, the final name of `digest` beside its own, durably.

        Where the file system has no links, its own name goes.
        """

        def link(target: str) -> None:
            if self._disk.link(path, target):
                return
            self.make_way(target)
            second = self._layout.session(f"put-{uuid.uuid4()}")  # a crash leaves what counts as abandoned
            if not self._disk.link(path, second):
                self._disk.rename(path, target)
                return
            self._disk.rename(second, target)
            self._disk.unlink(second)  # it stays where both were names of one file: then rename(2) does nothing

        self._name(fd, digest, link)

    def _name(self, fd: int, digest: Digest, give: Callable[[str], None]) -> None:
        """Make a file durable, `give` it the final name of its digest, and make the name durable."""
        directory, target = self._directory(digest), self._layout.blob(digest)
        self._disk.fsync(fd)
        self._disk.make_read_only(fd)  # after fsync, which would otherwise have to write the mode by itself
        try:
            give(target)
        except StorageFault:
            if self._disk.stat(directory) is not None:
                raise
            # Another program removed the empty directory. It is made again, and holds a name after this.
            self._durable_directories.discard(directory)
            self._directory(digest)
            give(target)
        self._disk.fsync_directory(directory)

    def make_way(self, target: str) -> None:
        """Give a directory that has the final name of content another one."""
        named = self._disk.stat(target)
        if named is not None and stat.S_ISDIR(named.st_mode):
            self._disk.rename(target, f"{target}.displaced")  # a file cannot take the place of a directory

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


def is_content(found: os.stat_result) -> bool:
    """Return whether a file can be content: a regular one whose mode allows reading."""
    return stat.S_ISREG(found.st_mode) and found.st_mode & _READABLE != 0
