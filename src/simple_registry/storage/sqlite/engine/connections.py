"""Connections to the database with the settings that durability requires, and faults from SQLite's errors.

WAL mode with `synchronous=FULL`: a commit that returned survives a power cut. (NORMAL, the usual setting for WAL, may
lose every commit since the last checkpoint.)

SQLite writes even for a reader: the shared-memory index of the log. On a read-only disk a reader opens the database as
immutable if there is no log, or else with an index in its own memory.
"""

import errno
import os
from urllib.parse import quote

import apsw

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly

BUSY_MILLISECONDS = 10_000
"""Covers short exclusive locks of SQLite, such as recovery after a crash. Writers queue on a lock file instead."""

KEPT_STATEMENTS = 1000
"""Uses of statements after which one that was not used is prepared again, for up to 300 µs.

The cache makes room by the number of uses, even if there are fewer statements. The push of an image uses 130.
"""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""Errors of a disk, a quota or a file size limit that leaves no room."""


def open_connection(path: str, *, query_only: bool = False, create: bool = False) -> apsw.Connection:
    """Return a connection to the database at `path`; a `query_only` one works on a read-only disk too.

    Raises: apsw.Error, which the caller converts into a fault.
    """
    try:
        flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
        return _set_up(apsw.Connection(path, flags=flags, statementcachesize=KEPT_STATEMENTS), query_only=query_only)
    except (apsw.CantOpenError, apsw.IOError, apsw.ReadOnlyError):
        if not query_only or not is_read_only(path):
            raise
        # `immutable` ignores a log and is wrong beside a writer. A server that may write holds the claim.
        how = "readonly_shm=1" if _size(f"{path}-wal") else "immutable=1"
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return _set_up(apsw.Connection(f"file:{quote(path)}?{how}", flags=flags), query_only=True)


def open_lock(path: str) -> int:
    """Return a descriptor of the lock file of writers, beside the database at `path`.

    Raises: OSError.
    """
    return os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def is_read_only(path: str) -> bool:
    """Return whether the file at `path` is on a read-only file system."""
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
    # Plans without regard to values: otherwise SQLite prepares each statement again, for 20 µs, at each use of a table
    # with a partial index.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def fault(action: str, error: Exception, connection: apsw.Connection | None = None) -> StorageFault:
    """Return the fault for an error of SQLite or of a system call."""
    system_errno = None
    if isinstance(error, OSError):
        system_errno = error.errno
    elif isinstance(error, (apsw.IOError, apsw.CantOpenError)) and connection is not None:
        system_errno = connection.system_errno
    if isinstance(error, apsw.ReadOnlyError) or system_errno == errno.EROFS:
        return StorageReadOnly(action, error)
    full = isinstance(error, apsw.FullError) or system_errno in _FULL
    return (StorageFull if full else StorageFault)(action, error)
