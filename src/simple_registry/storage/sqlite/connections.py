"""Opening the database with the settings that durability rests on, and naming its failures.

WAL with `synchronous=FULL`: a commit that returned survives a power cut. (With NORMAL, SQLite's usual advice for WAL,
every commit since the last checkpoint may be gone.)
"""

import errno

import apsw

from simple_registry.faults import StorageFault, StorageFull

BUSY_MILLISECONDS = 10_000
"""Writers queue elsewhere; this only covers SQLite's own short exclusive moments, such as recovery after a crash."""

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def open_connection(path: str, *, query_only: bool = False, create: bool = False) -> apsw.Connection:
    """Return a connection to the database at `path`; `query_only` ones cannot change it.

    Raises: apsw.Error, which the caller turns into a fault.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = apsw.Connection(path, flags=flags)
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    if query_only:
        connection.execute("PRAGMA query_only = ON")
    return connection


def fault(action: str, error: Exception, connection: apsw.Connection | None = None) -> StorageFault:
    """Return what the registry calls SQLite's `error`."""
    full = isinstance(error, apsw.FullError)
    if isinstance(error, apsw.IOError) and connection is not None:
        full = connection.system_errno in _FULL
    return (StorageFull if full else StorageFault)(action, error)
