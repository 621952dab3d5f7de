"""Which documents are being written: written to, and not closed since, as inotify(7) tells.

A document that is written in place looks complete whenever its writer pauses at the end of a line; only the system
knows that there is more to come. It does not know of other machines that write to a shared disk, and we do not ask it
about files behind links.
"""

import ctypes
import os
import struct
from collections.abc import Iterable

# As in sys/inotify.h.
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE = 0x2, 0x8, 0x40, 0x80, 0x200
_OVERFLOW, _IGNORED, _ONLY_DIRECTORIES = 0x4000, 0x8000, 0x01000000
_EVENTS = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
_HEAD = struct.Struct("iIII")
"""Watch, events, cookie, and the size of the name that follows."""
_BUFFER = 64 * 1024

LOOKS_AFTER_LOSS = 30
"""Looks for which what was being written is believed to be, after events were lost: its end may be one of them."""


class Writers:
    """Follows who writes below some directories, from the first look on."""

    def __init__(self) -> None:
        """Begin with the first look."""
        self._queue = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(_libc(), "inotify_init1") else -1
        self._directories: dict[int, str] = {}
        self._written: dict[str, int | None] = {}
        """Paths that are being written, and for how many looks that is believed, where there is an end to it."""

    def __del__(self) -> None:
        """Close the queue: a user may have few of them."""
        if self._queue >= 0:
            os.close(self._queue)

    def look(self, directories: Iterable[str]) -> frozenset[str]:
        """Return the paths that are being written in `directories`, which are watched from now on."""
        for directory in directories:
            watch = (
                -1
                if self._queue < 0
                else _libc().inotify_add_watch(self._queue, os.fsencode(directory), _EVENTS | _ONLY_DIRECTORIES)
            )
            if watch >= 0:
                self._directories[watch] = directory
        self._read()
        return frozenset(self._written)

    def _read(self) -> None:
        for path, looks in list(self._written.items()):
            if looks is not None:
                self._note(path, looks - 1)
        try:
            while data := os.read(self._queue, _BUFFER) if self._queue >= 0 else b"":
                self._take(data)
        except BlockingIOError:
            return

    def _take(self, data: bytes) -> None:
        at = 0
        while at < len(data):
            watch, events, _, size = _HEAD.unpack_from(data, at)
            name = data[at + _HEAD.size : at + _HEAD.size + size].rstrip(b"\0")
            at += _HEAD.size + size
            if events & _OVERFLOW:
                self._written = dict.fromkeys(self._written, LOOKS_AFTER_LOSS)
            elif events & _IGNORED:
                self._directories.pop(watch, None)
            elif watch in self._directories:
                path = f"{self._directories[watch]}/{os.fsdecode(name)}"
                self._note(path, None if events & _MODIFY else 0)

    def _note(self, path: str, looks: int | None) -> None:
        if looks == 0:
            self._written.pop(path, None)
        else:
            self._written[path] = looks


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
