"""Files of other programs: opened without waiting, and recognised when they changed."""

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, NamedTuple


class FileStamp(NamedTuple):
    """The identity and times of a file. Another file in its place has another stamp, and so has one written to.

    Times are in nanoseconds, but advance with the kernel's tick: two writes within milliseconds may have one stamp.
    """

    device: int
    inode: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, status: os.stat_result) -> "FileStamp":
        """Return the stamp of a file from its status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; a named pipe at its path may never have content.

    Raises: OSError, also for a file that is not regular.
    """
    file = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK))  # noqa: SIM115 (returned)
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return file


def is_directory(path: Path) -> bool:
    """Return whether there is a directory at `path`; there is none by a name that is too long."""
    try:
        return path.is_dir()
    except OSError:
        return False


def exposure(path: Path, what: str) -> tuple[str, ...]:
    """Return a warning when every user may read the secret file `what` at `path`; its group may."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ()
    return (f"every user of this machine may read {what} {path}; use chmod o-r",) if mode & stat.S_IROTH else ()
