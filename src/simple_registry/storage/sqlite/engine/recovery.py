"""Recovery from a failed sync of SQLite's log.

When the sync of a commit fails, SQLite reports the failure and forgets the commit, but its frames stay in the log,
complete. A process that opens the database after a crash would replay them, and a change that was refused would appear
after all. The kernel may also have dropped pages written before the failure. Later commits in the same log would then
be lost in the next power cut, even if they were synced, because SQLite stops reading a log at its first bad frame.

So a log whose sync failed is *suspect*. No process commits to it before its frames have been moved into the database
and it has been restarted from its beginning. A byte in the lock file of writers marks it for other processes, and for
those that start after a crash.
"""

import os
from contextlib import suppress

import apsw

from simple_registry.faults import StorageFault

_SUSPECT = b"?"
_SOUND = b"."


def mark_log_suspect(lock: int) -> None:
    """Mark the log as suspect in the lock file `lock`."""
    with suppress(OSError):  # if the disk refuses even this byte, this process still knows (`Commits`)
        os.pwrite(lock, _SUSPECT, 0)


def is_log_suspect(lock: int) -> bool:
    """Return whether a sync of the log failed and the log has not been restarted since."""
    return os.pread(lock, 1, 0) == _SUSPECT


def restart_log(connection: apsw.Connection, lock: int) -> None:
    """Move the log's frames into the database, restart the log, and remove its mark. The caller holds the lock file.

    Raises: apsw.Error, OSError, StorageFault when a reader still uses the log: it then stays suspect.
    """
    busy, _pages, _moved = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()[0]
    if busy:
        raise StorageFault("restart the log of the database", "a reader uses it")
    # RESTART only lets the next commit begin at the log's start. This one does: the old frames go before the mark does.
    _commit_nothing(connection)
    os.pwrite(lock, _SOUND, 0)


def overwrite_failed_commit(connection: apsw.Connection) -> None:
    """Overwrite the frames of the commit that failed, where the log cannot be restarted now.

    A process that finds the log after a crash cannot replay them then.
    """
    try:
        _commit_nothing(connection)
    except apsw.Error:
        roll_back(connection)


def roll_back(connection: apsw.Connection) -> None:
    """End the transaction, unless SQLite has ended it already."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _commit_nothing(connection: apsw.Connection) -> None:
    """Commit a change without effect. Its frames overwrite those of the failed commit, or begin a restarted log."""
    version = connection.execute("PRAGMA user_version").fetchall()[0][0]
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT")
