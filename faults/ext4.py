"""A file system on a loop device over a file, whose power can be cut.

    with Ext4(folder) as disk:
        disk.path            where it is mounted
        disk.cut()           nothing reaches it from now on; unwritten data is lost
        disk.replug()        mounts it again; no file on it may be open

The cut is ext4's shutdown ioctl without flushing its log. Data that reached the device stays, as on a disk at a power
cut; the next mount replays the journal.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import time
from pathlib import Path
from typing import Self

SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
SIZE = 2 << 30
"""Bytes; the file is sparse."""
COMMAND_SECONDS = 60.0
BUSY_SECONDS = 10.0


class NoDisk(Exception):
    """Such a disk cannot be had here; the message says why."""


class Ext4:
    """A disk; within its `with` block it is mounted."""

    def __init__(self, folder: Path, size: int = SIZE) -> None:
        self.path = folder / "disk"
        self._image = folder / "disk.img"
        self._size = size
        self._loop = ""

    def __enter__(self) -> Self:
        """Make it.

        Raises: NoDisk.
        """
        if os.geteuid() != 0:
            raise NoDisk("only root can mount")
        for command in ("mkfs.ext4", "losetup", "mount", "umount"):
            if shutil.which(command) is None:
                raise NoDisk(f"there is no {command}")
        self.path.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(self._size)
        _run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", str(self._image))
        try:
            self._loop = _run("losetup", "--find", "--show", str(self._image))
            self._mount()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def cut(self) -> None:
        """Cut the power."""
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        finally:
            os.close(descriptor)

    def replug(self) -> None:
        """Mount it again, as it was left."""
        self._unmount()
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-t", "ext4", self._loop, str(self.path))

    def _unmount(self) -> None:
        """Unmount, once the last process that was killed has let go."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                _run("umount", str(self.path))
            except NoDisk:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _remove(self) -> None:
        """Unmount, detach and delete, whatever state it is in.

        Raises: NoDisk when a mount or a loop device stays behind.
        """
        left = []
        if os.path.ismount(self.path):
            try:
                self._unmount()
            except NoDisk as error:
                left.append(str(error))
                _run("umount", "--lazy", str(self.path))
        if self._loop:
            try:
                _run("losetup", "--detach", self._loop)
            except NoDisk as error:
                left.append(str(error))
        self._image.unlink(missing_ok=True)
        if left:
            raise NoDisk(f"left behind: {'; '.join(left)}; see losetup -a")


def _run(*command: str) -> str:
    """Run a command and return what it printed.

    Raises: NoDisk.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    if done.returncode:
        raise NoDisk(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout.strip()
