"""Locks by name, between the processes that share a database as between the requests of one.

Each name is a byte of one file, which need not have that byte. A lock belongs to its open file and goes when that is
closed, or when its process ends (fcntl(2), "Open file description locks").
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
def name_lock(path: str, name: str) -> Iterator[bool]:
    """Hold the lock of `name` in the file at `path` for the block, or yield `False` when it is held already.

    Raises (on entering): StorageFault.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise fault("open a file of locks", error) from error
    try:
        yield _lock(fd, name)
    finally:
        with suppress(OSError):  # the lock is gone even then
            os.close(fd)


def _lock(fd: int, name: str) -> bool:
    # Of so many bytes that two names never meet at one.
    byte = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest())
    try:
        fcntl.fcntl(fd, fcntl.F_OFD_SETLK, _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0))
    except BlockingIOError:
        return False
    except OSError as error:
        raise fault("lock a file", error) from error
    return True
