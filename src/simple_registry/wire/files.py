"""The files that an answer is sent from. They are opened before its head leaves: one that is gone is another answer."""

import os
from contextlib import suppress

from simple_registry.content import LocalFile, read_exactly
from simple_registry.wire.exchange import CannotSend
from simple_registry.wire.shared import Shared

_RWF_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""Linux's flag for reads that succeed only from memory."""


class OpenFile:
    """An open file, which is closed by `close`."""

    def __init__(self, file: LocalFile) -> None:
        """Open the file.

        Raises: ContentGone, StorageFault.
        """
        self.fd = file.open()

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def read_cached(self, start: int, size: int) -> bytes | None:
        """Return bytes of the file if the kernel has them in memory, so that no disk is waited for."""
        if _RWF_NOWAIT is None:
            return None
        buffer = bytearray(size)
        try:
            read = os.preadv(self.fd, [buffer], start, _RWF_NOWAIT)
        except OSError:
            return None
        return bytes(buffer) if read == size else None

    def is_cached(self, start: int, stop: int) -> bool:
        """Return whether the first and the last byte of a piece are in memory; mostly, all between them are too."""
        return self.read_cached(start, 1) is not None and self.read_cached(stop - 1, 1) is not None

    def load(self, start: int, size: int) -> bytes:
        """Return bytes of the file, from the disk if need be, and have the kernel fetch as many after them.

        Raises: ContentGone, StorageFault.
        """
        with suppress(OSError):  # reading will find what is wrong
            os.posix_fadvise(self.fd, start + size, size, os.POSIX_FADV_WILLNEED)
        return read_exactly(self.fd, start, size)


class OpenFiles:
    """The files of one answer: each is opened once, and all are closed at its end."""

    def __init__(self, shared: Shared) -> None:
        """Open as many as the worker has descriptors for."""
        self._shared = shared
        self._opened: dict[int, OpenFile] = {}
        """By the identity of their content, which the answer keeps."""

    def open(self, file: LocalFile) -> OpenFile:
        """Return an open file.

        Raises: CannotSend when too many are open; ContentGone, StorageFault.
        """
        opened = self._opened.get(id(file))
        if opened is None:
            if not self._shared.may_open():
                raise CannotSend("too many files are open")
            opened = self._opened[id(file)] = OpenFile(file)
            self._shared.open_files += 1
        return opened

    def close(self) -> None:
        """Close them all."""
        for each in self._opened.values():
            each.close()
        self._shared.open_files -= len(self._opened)
