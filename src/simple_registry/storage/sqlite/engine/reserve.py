"""Room for SQLite's log, taken while there is some, so that rows can still change when the disk is full.

A commit appends to the log, and only to the log; once the log was folded into the database, it is written again from
its beginning. So when the blocks of its first megabytes are there, tags move, deletions go on and sessions end without
one more block, whatever else fills the disk. The blocks stand beyond the end of the file (`FALLOC_FL_KEEP_SIZE`), hence
an empty log is still empty for everybody who looks at it.

The log must then survive the last connection, which otherwise removes it; `fold` empties it instead, so that what a
stopped server leaves is the database alone, and a log that could be taken for that of another one never lies about.
"""

import ctypes
import os

import apsw

LOG_RESERVE = 8 * 1024 * 1024
"""Twice the log's size between two foldings: some thousand commits, should the database not be able to grow either."""

_KEEP_SIZE = 1
_libc = ctypes.CDLL(None, use_errno=True)


def keep_log(connection: apsw.Connection) -> None:
    """Let the log stay when this connection, as the last one, is closed."""
    yes = ctypes.c_int(1)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(yes))


def reserve_log(path: str, size: int) -> bool:
    """Take room for `size` bytes of the log of the database at `path`. Returns whether all of it is there.

    It is not where the disk is full, there is no log yet, or the file system cannot do it; the database works all the
    same. No lock of SQLite is on the log, so that opening and closing it here loses none.
    """
    try:
        log = os.open(f"{path}-wal", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fallocate = _libc.fallocate
        return bool(fallocate(log, _KEEP_SIZE, ctypes.c_int64(0), ctypes.c_int64(size)) == 0)
    except AttributeError:  # not Linux
        return False
    finally:
        os.close(log)


def fold(connection: apsw.Connection, path: str, size: int) -> None:
    """Bring all rows from the log into the database, and empty the log but for the room of `size` bytes reserved.

    Emptying gives the room back for a moment; on a disk that is nearly full, somebody else would take it, so there the
    log keeps its rows. Called with the writers' turn; not being able to is fine.

    Raises: apsw.IOError when the disk fails, perhaps in a sync of the log.
    """
    try:
        found = os.statvfs(path)
        if found.f_bavail * found.f_frsize >= size:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    except apsw.IOError:
        raise
    except (apsw.Error, OSError):
        return
    finally:
        if size:
            reserve_log(path, size)
