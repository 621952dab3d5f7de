"""Disks for tests: one records its calls, one is full, one kills its process."""

import errno
import os
import signal
from pathlib import Path
from typing import Any

from simple_registry.faults import StorageFull
from simple_registry.storage.filesystem.disk import Disk

CHANGING = (
    "create",
    "open_write",
    "write",
    "truncate",
    "make_read_only",
    "fsync",
    "fsync_directory",
    "make_directory",
    "link",
    "rename",
    "unlink",
)
"""The calls after which the disk is not as it was."""


class WatchedDisk(Disk):
    """Calls `watch` with the name and the arguments of every changing call, before it is done."""

    def watch(self, name: str, arguments: tuple[Any, ...]) -> None:
        raise NotImplementedError

    def __getattribute__(self, name: str) -> Any:
        method = super().__getattribute__(name)
        if name not in CHANGING:
            return method

        def watched(*arguments):
            self.watch(name, arguments)
            return method(*arguments)

        return watched


class RecordingDisk(WatchedDisk):
    """Keeps what was done, as `name path`, with the last part of the path only."""

    def __init__(self):
        self.calls = []

    def watch(self, name, arguments):
        target = arguments[0]
        path = Path(f"/proc/self/fd/{target}").readlink() if isinstance(target, int) else Path(target)
        shown = path.name if len(path.name) < 60 else "<blob>"
        self.calls.append(f"{name} {'<temporary>' if shown.startswith('put-') else shown}")

    def taken(self):
        calls, self.calls = self.calls, []
        return calls


class FullDisk(WatchedDisk):
    """Has no room left when `failing` is called."""

    def __init__(self, failing: str):
        self.failing = failing

    def watch(self, name, arguments):
        if name == self.failing:
            raise StorageFull(name, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))


class KillingDisk(WatchedDisk):
    """Ends its process, without any goodbye, just before the call with this number (from 0)."""

    def __init__(self, deadly: int):
        self.left = deadly

    def watch(self, name, arguments):
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
