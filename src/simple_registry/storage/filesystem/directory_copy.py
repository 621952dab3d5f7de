"""A copy of a data directory that is being written. It is one, for every program, once it has its `format`.

files, content ─► all of them durable ─► format
"""

import os
import stat

from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.data_directory import MARKER
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import READ_BYTES
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ContentRecord


class DirectoryCopy:
    """Writes a data directory. What could not be copied whole is left out."""

    def __init__(self, layout: Layout, disk: Disk, previous: Layout | None = None) -> None:
        """Write into an existing empty directory; take content that the copy `previous` has from there."""
        self._layout = layout
        self._disk = disk
        self._previous = previous
        for directory in layout.directories():
            disk.make_directory(directory)

    def write_file(self, path: str, data: bytes) -> None:
        """Write a small file at a path below the root, readable by its owner only."""
        parents = path.split("/")[:-1]
        for depth in range(len(parents)):
            self._disk.make_directory("/".join((self._layout.root, *parents[: depth + 1])))
        fd = self._disk.create(f"{self._layout.root}/{path}")
        try:
            self._disk.write(fd, data, 0)
        finally:
            self._disk.close(fd)

    def link_content(self, record: ContentRecord) -> bool:
        """Give the file that the previous copy has of content a name in this one. Return whether it has one."""
        if self._previous is None:
            return False
        kept = self._previous.blob(record.digest)
        found = self._disk.stat(kept)
        if found is None or not stat.S_ISREG(found.st_mode) or found.st_size != record.size:
            return False
        return self._disk.link(kept, self._path(record))

    def write_content(self, record: ContentRecord, reader: CheckedReader) -> str | None:
        """Write content. Return what is wrong with it, if anything; then it is left out."""
        path, position = self._path(record), 0
        fd = self._disk.create(path)
        try:
            while data := reader.read(READ_BYTES):
                self._disk.write(fd, data, position)
                position += len(data)
            self._disk.make_read_only(fd)
        finally:
            self._disk.close(fd)
        damage = reader.damage()
        if damage is not None:
            self._disk.unlink(path)
        return damage

    def finish(self) -> None:
        """Make everything durable, then give the directory its format."""
        self._disk.sync_file_system(self._layout.root)
        self._disk.replace(self._layout.format, MARKER)

    def _path(self, record: ContentRecord) -> str:
        path = self._layout.blob(record.digest)
        self._disk.make_directory(os.path.dirname(path))
        return path
