"""Opening the database with the settings that durability rests on, and naming its failures.

WAL with `synchronous=FULL`: a commit that returned survives a power cut. (With NORMAL, SQLite's usual advice for WAL,
every commit since the last checkpoint may be gone.)

On a disk that is read-only there is nothing to be durable, but SQLite wants to write even for a reader: its index of
the log. Where that cannot be, a reader takes the database as it is (there is no log) or makes its own index (there is).
"""

import errno
import os
from urllib.parse import quote

import apsw

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly

BUSY_MILLISECONDS = 10_000
"""Writers queue elsewhere; this only covers SQLite's own short exclusive moments, such as recovery after a crash."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def open_connection(path: str, *, query_only: bool = False, create: bool = False) -> apsw.Connection:
    """Return a connection to the database at `path`; `query_only` ones cannot change it, nor need to be able to.

    Raises: apsw.Error, which the caller turns into a fault.
    """
    try:
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        return _set_up(apsw.Connection(path, flags=flags), query_only=query_only)
    except (apsw.CantOpenError, apsw.IOError, apsw.ReadOnlyError):
        if not query_only or not is_read_only(path):
            raise
        # `immutable` would overlook a log, and be wrong beside a writer; a server that may write has our lock.
        how = "readonly_shm=1" if _size(f"{path}-wal") else "immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return _set_up(apsw.Connection(f"file:{quote(path)}?{how}", flags=flags), query_only=True)


def open_lock(path: str) -> int:
    """Return a descriptor of the file beside the database at `path` on which writers queue.

    Raises: OSError.
    """
    return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def is_read_only(path: str) -> bool:
    """Tell whether the file at `path` cannot be written to for the reason that its whole file system cannot."""
    try:
        os.utime(path)
    except OSError as error:
        return error.errno == errno.EROFS
    return False


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def _set_up(connection: apsw.Connection, *, query_only: bool) -> apsw.Connection:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def fault(action: str, error: Exception, connection: apsw.Connection | None = None) -> StorageFault:
    """Return what the registry calls SQLite's `error`."""
    system_errno = None
    if isinstance(error, OSError):
        system_errno = error.errno
    elif isinstance(error, (apsw.IOError, apsw.CantOpenError)) and connection is not None:
        system_errno = connection.system_errno
    if isinstance(error, apsw.ReadOnlyError) or system_errno == errno.EROFS:
        return StorageReadOnly(action, error)
    full = isinstance(error, apsw.FullError) or system_errno in _FULL
    return (StorageFull if full else StorageFault)(action, error)
