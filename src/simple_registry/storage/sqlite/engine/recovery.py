"""What a failed sync leaves in SQLite's log, and how it is kept from being believed.

When the sync of a commit fails, SQLite forgets the commit, but its frames stay in the log, whole: a process that opens
the database after a crash would take them for a commit, and what was refused would have happened after all. Worse, the
kernel may have dropped the pages of everything that was not synced before: commits that follow in the log would be lost
with the next power cut, synced or not, because reading a log ends where it is torn.

So a log is in doubt from the failed sync on. Nobody commits to it before all it holds was moved into the database, and
it was begun anew. A byte in the lock file of writers carries the doubt to other processes, and over a crash.
"""

import os
from contextlib import suppress

import apsw

from simple_registry.faults import StorageFault

_DOUBT = b"?"
_TRUST = b"."


def begin_doubt(lock: int) -> None:
    """Mark the log as doubtful, for whoever takes the lock file `lock` next."""
    with suppress(OSError):  # a disk that takes not even this: we ourselves still know
        os.pwrite(lock, _DOUBT, 0)


def in_doubt(lock: int) -> bool:
    """Tell whether a sync of the log failed and nobody has settled that since."""
    return os.pread(lock, 1, 0) == _DOUBT


def settle(connection: apsw.Connection, lock: int) -> None:
    """Move what the log holds into the database, begin the log anew, and end the doubt. With the lock of writers held.

    Raises: apsw.Error, OSError, StorageFault when a reader does not let the log be begun anew: then it stays in doubt.
    """
    busy, _pages, _moved = connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()[0]
    if busy:
        raise StorageFault("settle the log of rows", "a reader keeps it")
    _write_over(connection)
    os.pwrite(lock, _TRUST, 0)


def bury(connection: apsw.Connection) -> None:
    """Write over the frames of the commit that just failed, where the log cannot be settled now.

    They are then no commit for a process that finds the log after a crash.
    """
    try:
        _write_over(connection)
    except apsw.Error:
        roll_back(connection)


def roll_back(connection: apsw.Connection) -> None:
    """End the transaction, unless SQLite has done so already."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _write_over(connection: apsw.Connection) -> None:
    """Commit what changes nothing; it goes where the failed commit stands, or to the beginning of a log begun anew."""
    version = connection.execute("PRAGMA user_version").fetchall()[0][0]
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"BEGIN IMMEDIATE; PRAGMA user_version = {version}; COMMIT")
