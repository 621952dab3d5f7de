"""Giving a file its final name in the content tree, so that it survives a power cut.

    read-only ──► link ──► fsync file ──► fsync directory        the name is free
    read-only ──► fsync file ──► rename ──► fsync directory      the name is taken
    mkdir ──► fsync parent                                       before the first name in a directory

A free name may become durable before its bytes, since content exists only by its row, which comes last: one commit of
the journal then covers both, and the second sync finds nothing to write. A name that is taken may be that of whole
content. It changes hands in one step, and only to durable bytes: no reader ever misses it, and a damaged file is
healed.

The file keeps the name that it had, so that an upload can begin again at the naming until its row is committed. A file
with two names is never written.
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
from simple_registry.storage.records import Place

PLACE = Place("")
"""A digest leads to its file: there is one place for each."""

_T = TypeVar("_T")

_READABLE = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class Placement:
    """Names content."""

    def __init__(self, layout: Layout, disk: Disk) -> None:
        """Name content in this tree."""
        self._layout = layout
        self._disk = disk
        self._durable_directories: set[str] = set()

    def link(self, fd: int, path: str, digest: Digest) -> None:
        """Give the file at `path`, open as `fd`, the final name of `digest` beside its own, durably.

        Where the file system has no links, its own name goes.
        """
        target = self._layout.blob(digest)
        self._disk.make_read_only(fd)
        if self._in_directory(digest, lambda: self._disk.link(path, target)):
            self._disk.fsync(fd)
        else:
            self._disk.fsync(fd)
            self._in_directory(digest, lambda: self._replace(path, target))
        self._disk.fsync_directory(self._layout.blob_directory(digest))

    def _replace(self, path: str, target: str) -> None:
        self.make_way(target)
        second = self._layout.session(f"put-{uuid.uuid4()}")  # what a crash leaves counts as abandoned
        if not self._disk.link(path, second):
            self._disk.rename(path, target)
            return
        self._disk.rename(second, target)
        self._disk.unlink(second)  # rename(2) does nothing where both are names of one file

    def _in_directory(self, digest: Digest, give: Callable[[], _T]) -> _T:
        """Return what `give` returns, once the directory of a digest exists."""
        directory = self._directory(digest)
        try:
            return give()
        except StorageFault:
            if self._disk.stat(directory) is not None:
                raise
            # Another program removed the directory, which was empty.
            self._durable_directories.discard(directory)
            self._directory(digest)
            return give()

    def make_way(self, target: str) -> None:
        """Give a directory that has the final name of content another one."""
        named = self._disk.stat(target)
        if named is not None and stat.S_ISDIR(named.st_mode):
            self._disk.rename(target, f"{target}.displaced")  # a file cannot take the place of a directory

    def _directory(self, digest: Digest) -> str:
        """Return the directory of a digest, which exists and is durable.

        The parent is synced even when another process made the directory: that one may not have synced it yet.
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
