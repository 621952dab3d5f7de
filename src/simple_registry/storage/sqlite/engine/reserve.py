"""Disk space reserved for the database and its log, so that rows can change while the disk is full.

A commit only appends to the log. After a checkpoint, which moves the log's frames into the database, SQLite writes the
log from its beginning again. With the blocks of its first megabytes reserved, tags move, deletions succeed and
sessions end although nothing else can be written. The blocks lie beyond the end of the file (`FALLOC_FL_KEEP_SIZE`), so
an empty log still has size 0.

A checkpoint fails when the database has to grow and cannot, and then the log is never written from its beginning again.
Rows are added by every change (the journal has each), so the database grows by chunks: most of the time it has room for
thousands of rows.

The reserved log must survive its last connection, which would otherwise remove it. `truncate_log` empties it instead:
a stopped server leaves all rows in the database, and no log with frames that another database could replay.
"""

import ctypes
import os

import apsw

LOG_RESERVE = 8 * 1024 * 1024
"""Twice the log's size between two checkpoints: some thousand commits, if the database cannot grow either."""

CHUNK = 4 * 1024 * 1024
"""The size of the database is a multiple of this."""

_KEEP_SIZE = 1
_libc = ctypes.CDLL(None, use_errno=True)


def keep_room(connection: apsw.Connection) -> None:
    """Keep the log file when this connection is closed as the last one, and let the database grow by chunks."""
    yes, chunk = ctypes.c_int(1), ctypes.c_int(CHUNK)
    connection.file_control("main", apsw.SQLITE_FCNTL_PERSIST_WAL, ctypes.addressof(yes))
    connection.file_control("main", apsw.SQLITE_FCNTL_CHUNK_SIZE, ctypes.addressof(chunk))


def reserve_log(path: str, size: int) -> bool:
    """Reserve `size` bytes for the log of the database at `path`. Return whether all of them are reserved.

    That fails if the disk is full, there is no log yet, or the file system cannot reserve; the database works without.
    SQLite keeps no lock on the log file, so opening and closing it here releases none.
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


def truncate_log(connection: apsw.Connection, path: str, size: int) -> None:
    """Move all rows from the log into the database, and truncate the log to its reserved `size` bytes, if possible.

    Truncation frees the blocks for a moment. On a disk that is nearly full another program could take them, so the log
    keeps its rows there. The caller holds the lock file.

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
