"""The content of a data directory, read to be copied, without pushing other files out of memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from simple_registry.faults import StorageFault
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import about_one_file
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ContentRecord


class ContentSource:
    """Opens content for copying; `read` is called with each number of bytes read."""

    def __init__(self, layout: Layout, disk: Disk, read: Callable[[int], None]) -> None:
        self._layout = layout
        self._disk = disk
        self._count = read

    @contextmanager
    def open(self, record: ContentRecord) -> Iterator[CheckedReader | None]:
        """Read content in the block; `None` when there is no file.

        Raises (on entering): ContentUnreadable; StorageFault for a failure that may have another cause.
        """
        try:
            fd = self._disk.open_read(self._layout.blob(record.digest))
        except StorageFault as fault:
            raise about_one_file(fault) from fault
        if fd is None:
            yield None
            return
        try:
            used = self._disk.in_memory(fd)
            yield CheckedReader(record, self._reading(fd))
            if not used:
                self._disk.drop_from_memory(fd)
        finally:
            self._disk.close(fd)

    def _reading(self, fd: int) -> Callable[[int], bytes]:
        position = 0

        def read(size: int) -> bytes:
            nonlocal position
            try:
                data = self._disk.read(fd, size, position)
            except StorageFault as fault:
                raise about_one_file(fault) from fault
            position += len(data)
            self._count(len(data))
            return data

        return read
