"""Documents that are being written: the parent detects them, and its workers read the result in shared memory.

    parent   polls the files, then their writers ──► │ hash of both │ reason │
    worker   polls the files: are they those of the parent, and is there no reason? ◄──┘

A document that is written in place looks complete whenever its writer pauses at the end of a line. Only the kernel
knows that the file is still open, and reports it through inotify(7). It does not report writers on other machines that
share a disk, and files behind links are not watched. Only the parent has watched since before every writer started.
"""

import ctypes
import fcntl
import mmap
import os
import signal
import struct
from collections.abc import Iterable
from pathlib import Path

from simple_registry.config.directories import Signature, directories_of, signature

# As in sys/inotify.h.
_MODIFY, _CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _DELETE = 0x2, 0x8, 0x40, 0x80, 0x200
_OVERFLOW, _IGNORED, _ONLY_DIRECTORIES = 0x4000, 0x8000, 0x01000000
_EVENTS = _MODIFY | _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _DELETE
_HEAD = struct.Struct("iIII")
"""Watch, events, cookie, and the size of the name that follows."""
_BUFFER = 64 * 1024

POLLS_AFTER_LOSS = 30
"""Polls for which a file counts as being written after events were lost, because its close may be one of them."""

UNKNOWN = ""
"""The reason while the parent has not polled the present files."""

_SHARED = struct.Struct("q4088s")
"""A hash of the files and the reason, and the reason. A value read during a write does not match its hash."""


class Unfinished:
    """Returns why the documents should not be loaded yet: a writer that started after the first poll."""

    def __init__(self, directories: tuple[Path, ...]) -> None:
        """Decide in this process, for the processes that it forks."""
        self._directories = directories
        self._parent = os.getpid()
        self._writers = Writers()
        self._shared = mmap.mmap(-1, _SHARED.size)

    def __call__(self) -> str | None:
        """Return the reason; `None` when there is none."""
        found = signature(self._directories)
        if os.getpid() == self._parent:
            reason = self._reason(found).encode(errors="surrogateescape")[: _SHARED.size - 8]
            _SHARED.pack_into(self._shared, 0, hash((found, reason)), reason)
        else:
            shared, padded = _SHARED.unpack_from(self._shared)
            reason = padded.rstrip(b"\0")
            if shared != hash((found, reason)):
                return UNKNOWN
        return reason.decode(errors="surrogateescape") if reason else None

    def _reason(self, found: Signature) -> str:
        written = self._writers.poll(directories_of(found)) & {path for path, *_ in found}
        return f"{min(written)}: a program writes to it, and has not closed it yet" if written else ""


class Writers:
    """Follows the writers below some directories, from the first poll on."""

    def __init__(self) -> None:
        self._queue = _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(_libc(), "inotify_init1") else -1
        self._directories: dict[int, str] = {}
        self._written: dict[str, int | None] = {}
        """Paths that are being written, and for how many more polls once they may have been closed."""

    def __del__(self) -> None:
        """Close the queue: a user may have few of them."""
        if self._queue >= 0:
            os.close(self._queue)

    def poll(self, directories: Iterable[str]) -> frozenset[str]:
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
        self._end()
        return frozenset(self._written)

    def _read(self) -> None:
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
                self._written = dict.fromkeys(self._written, POLLS_AFTER_LOSS)
            elif events & _IGNORED:
                self._directories.pop(watch, None)
            elif watch in self._directories:
                self._record(f"{self._directories[watch]}/{os.fsdecode(name)}", events)

    def _record(self, path: str, events: int) -> None:
        if events & _MODIFY:
            self._written[path] = None
        elif not events & _CLOSE_WRITE:
            self._written.pop(path, None)
        elif path in self._written:  # closed, but perhaps not by the program that wrote
            self._written[path] = 1

    def _end(self) -> None:
        """Drop files that have been closed, if the system reports it, or else after a number of polls."""
        for path, polls in list(self._written.items()):
            if polls is not None:
                is_open = _is_open_for_writing(path)
                if is_open is None and polls > 1:
                    self._written[path] = polls - 1
                elif not is_open:
                    del self._written[path]


def _is_open_for_writing(path: str) -> bool | None:
    """Return whether any program has a file open for writing; `None` if unknown, as for files of other users.

    The kernel grants a read lease only while there is no such program, fcntl(2). The lease ends with the close here.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # A writer that opens the file right now causes this signal; the default, SIGIO, would end the process.
        fcntl.fcntl(file, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(file)
    return False


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
