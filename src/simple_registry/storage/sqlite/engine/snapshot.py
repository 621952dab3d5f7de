"""A copy of the database before a migration, for a return to the previous version.

Only a complete copy has the final name. The program never removes it.
"""

import os
from contextlib import suppress

import apsw

from simple_registry.faults import DataDirectoryRefused
from simple_registry.storage.sqlite.engine.connections import FULL


def take_snapshot(connection: apsw.Connection, path: str, number: int) -> None:
    """Copy the database at `path` to `<path>.before-<number>`, durably. Replaces an earlier copy.

    Raises: DataDirectoryRefused when there is no room for it; apsw.Error, OSError.
    """
    target = f"{path}.before-{number}"
    unfinished = f"{target}.new"
    try:
        _copy(connection, unfinished)
        os.rename(unfinished, target)
        sync(os.path.dirname(path))
    except (apsw.Error, OSError) as error:
        with suppress(OSError):
            os.unlink(unfinished)
        full = isinstance(error, apsw.FullError) or getattr(error, "errno", None) in FULL
        if not full and not (isinstance(error, apsw.IOError) and connection.system_errno in FULL):
            raise
        reason = (
            f"there is no room for the copy that an upgrade needs ({target}); free some, or use the previous version"
        )
        raise DataDirectoryRefused(path, reason) from error


def _copy(connection: apsw.Connection, target: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(target)  # left by a crash
    # SQLite accepts an empty file as target. One that it creates would be readable by other users.
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
    connection.execute("VACUUM INTO ?", (target,))
    sync(target)


def sync(path: str) -> None:
    """Make a file durable, or the names in a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
