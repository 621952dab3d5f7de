"""Locks by name, between requests of one process or of several.

Each name locks one byte of a file; the byte need not exist. A lock has one holder, unless it is shared. It belongs to
its open file description and ends when that is closed or its process exits (fcntl(2), "Open file description locks").
"""

import fcntl
import hashlib
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from simple_registry.storage.sqlite.engine.connections import fault

_FLOCK = struct.Struct("hhqqi4x")
"""The kernel's `struct flock`: type, whence, start, length, process."""


@contextmanager
def name_lock(path: str, name: str, *, shared: bool = False) -> Iterator[bool]:
    """Hold the lock of `name` in the file at `path` for the block. Yield whether it was free.

    A `shared` lock is free for other shared ones.

    Raises (on entering): StorageFault.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise fault("open a lock file", error) from error
    try:
        yield _lock(fd, name, fcntl.F_RDLCK if shared else fcntl.F_WRLCK)
    finally:
        with suppress(OSError):  # the lock is released even then
            os.close(fd)


def _lock(fd: int, name: str, kind: int) -> bool:
    # One of 2**56 bytes, so that no two names share one.
    byte = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(kind, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    except OSError as error:
        raise fault("lock a file", error) from error
    return True
