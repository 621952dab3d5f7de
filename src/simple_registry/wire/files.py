"""The files of an answer. They are opened before its head is sent, so that a missing file can become another answer."""

import os
from contextlib import suppress

from simple_registry.content import LocalFile, read_exactly
from simple_registry.wire.exchange import CannotSend
from simple_registry.wire.shared import Shared

_RWF_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""The Linux flag for reads from the page cache only."""


class OpenFile:
    """An open file."""

    def __init__(self, file: LocalFile) -> None:
        """Open the file.

        Raises: ContentGone, StorageFault.
        """
        self.fd = file.open()

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def read_cached(self, start: int, size: int) -> bytes | None:
        """Return bytes of the file if they are in the page cache, without waiting for the disk; otherwise `None`."""
        if _RWF_NOWAIT is None:
            return None
        buffer = bytearray(size)
        try:
            read = os.preadv(self.fd, [buffer], start, _RWF_NOWAIT)
        except OSError:
            return None
        return bytes(buffer) if read == size else None

    def is_cached(self, start: int, stop: int) -> bool:
        """Return whether a span is probably in the page cache, by its first and its last byte."""
        return self.read_cached(start, 1) is not None and self.read_cached(stop - 1, 1) is not None

    def load(self, start: int, size: int) -> bytes:
        """Return bytes of the file, from disk if necessary, and have the kernel read ahead as many.

        Raises: ContentGone, StorageFault.
        """
        with suppress(OSError):  # only advice; the read reports errors
            os.posix_fadvise(self.fd, start + size, size, os.POSIX_FADV_WILLNEED)
        return read_exactly(self.fd, start, size)


class OpenFiles:
    """The files of one answer: each is opened once, and all are closed together."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._opened: dict[int, OpenFile] = {}
        """By the `id` of their content, which the answer keeps alive."""

    def open(self, file: LocalFile) -> OpenFile:
        """Open a file, unless it is open already.

        Raises: CannotSend if too many are open; ContentGone, StorageFault.
        """
        opened = self._opened.get(id(file))
        if opened is None:
            if not self._shared.may_open():
                raise CannotSend("too many open files")
            opened = self._opened[id(file)] = OpenFile(file)
            self._shared.open_files += 1
        return opened

    def close(self) -> None:
        """Close all files."""
        for each in self._opened.values():
            each.close()
        self._shared.open_files -= len(self._opened)
