"""Recent logins, which keep their priority over unknown ones across restarts.

    ["alice","203.0.113.7",20421]        user, network, day since the Unix epoch

The file only decides the order in which passwords are verified. So it is not synced, unreadable lines are skipped, and
failed writes are ignored. Workers append lines while they hold the lock of the file. A file that is too large is
rewritten with the lines that are still used.
"""

from collections.abc import Iterable
from contextlib import suppress

import msgspec

from simple_registry.clock import Clock
from simple_registry.faults import StorageFault
from simple_registry.storage.filesystem.disk import Disk

MAX_SIZE = 4 * 1024 * 1024
"""Bytes above which the file is rewritten with at most half as many."""

_DAY = 24 * 3600

_Line = tuple[str, str, int]

_decoder = msgspec.json.Decoder(_Line)


class LoginFile:
    """Logins in a file."""

    def __init__(self, path: str, disk: Disk, clock: Clock, *, keep_days: int) -> None:
        """Keep logins at `path` for `keep_days`. Nothing is read or created yet."""
        self._path = path
        self._disk = disk
        self._clock = clock
        self._keep_days = keep_days

    def load(self) -> list[_Line]:
        """Return user, network and last day of each login; none if the file cannot be read."""
        try:
            fd = self._disk.open_read(self._path)
            if fd is None:
                return []
            try:
                return self._newest(self._disk.read(fd, self._disk.stat_open(fd).st_size, 0))
            finally:
                self._disk.close(fd)
        except StorageFault:
            return []

    def add(self, user: str, network: str, day: int) -> None:
        """Add a login, if the disk permits. Blocks on the disk: not for the event loop."""
        with suppress(StorageFault):
            fd = self._disk.open_write(self._path)
            try:
                self._disk.lock(fd)
                size = self._disk.stat_open(fd).st_size
                if size > MAX_SIZE:
                    size = self._shorten(fd, size)
                # A full disk or a power cut may have torn the last line; a newline separates this one from it.
                torn = size > 0 and self._disk.read(fd, 1, size - 1) != b"\n"
                self._disk.write(fd, b"\n" * torn + _encoded([(user, network, day)]), size)
            finally:
                self._disk.close(fd)

    def _shorten(self, fd: int, size: int) -> int:
        """Rewrite the file. Return its size."""
        kept = _encoded(self._newest(self._disk.read(fd, size, 0)))[-MAX_SIZE // 2 :]
        self._disk.truncate(fd, 0)
        self._disk.write(fd, kept, 0)
        return len(kept)

    def _newest(self, data: bytes) -> list[_Line]:
        """Return the last day of each user and network, oldest first, without expired ones."""
        today = int(self._clock.now()) // _DAY
        days: dict[tuple[str, str], int] = {}
        for line in data.splitlines():
            with suppress(msgspec.MsgspecError, UnicodeError):
                user, network, day = _decoder.decode(line)
                if today - self._keep_days <= day <= today:
                    days[user, network] = max(day, days.get((user, network), day))
        return sorted(((*pair, day) for pair, day in days.items()), key=lambda line: line[2])


def _encoded(lines: Iterable[_Line]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)
