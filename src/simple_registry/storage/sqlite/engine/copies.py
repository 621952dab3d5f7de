"""Complete copies of a database, made while other connections write to it.

    <target>.new ◄─ some pages, a sync, a pause ◄─ one state of the database        then <target>.new ─► <target>

A transaction for reading keeps that state until the last page is copied; SQLite would begin again after each commit of
another connection. No writer waits for it, but the log grows meanwhile, so a copy is made without long pauses.
"""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw

from simple_registry.storage.sqlite.engine.connections import fault, open_connection

ACTION = "copy the database"

PAGES = 1024
"""Pages of one step: 4 MiB."""


def copy_database(source: apsw.Connection, target: str, *, pause: float = 0.0) -> None:
    """Copy the database of a connection to a file at `target`, durably; wait `pause` seconds after each step.

    A file of that name is replaced by the complete copy.

    Raises: StorageFault; then nothing has that name that did not have it before.
    """
    unfinished = f"{target}.new"
    try:
        _copy(source, unfinished, pause)
        os.rename(unfinished, target)
        sync(os.path.dirname(target))
    except BaseException as error:
        with suppress(OSError):
            os.unlink(unfinished)
        if isinstance(error, apsw.Error | OSError):
            raise fault(ACTION, error, source) from error
        raise


def copy_at(path: str, target: str, *, pause: float = 0.0) -> None:
    """Copy the database at `path`, as `copy_database` does.

    Raises: StorageFault.
    """
    try:
        connection = open_connection(path, query_only=True)
    except apsw.Error as error:
        raise fault(ACTION, error) from error
    try:
        copy_database(connection, target, pause=pause)
    finally:
        connection.close()


def _copy(source: apsw.Connection, target: str, pause: float) -> None:
    with suppress(FileNotFoundError):
        os.unlink(target)  # left by a crash
    # SQLite accepts an empty file as target. One that it creates would be readable by other users.
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        connection = apsw.Connection(target, flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.execute("PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY")  # it is complete, or not used
            with _one_state(source), connection.backup("main", source, "main") as copying:
                while not copying.done:
                    _step(copying, connection)
                    os.fdatasync(file)  # all at once would keep the syncs of other writers waiting
                    time.sleep(pause)
        finally:
            connection.close()
        os.fsync(file)
    finally:
        os.close(file)


def _step(copying: apsw.Backup, target: apsw.Connection) -> None:
    try:
        copying.step(PAGES)
    except apsw.FullError as error:  # its text is that of the source
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    except apsw.Error as error:
        raise fault(ACTION, error, target) from error


@contextmanager
def _one_state(connection: apsw.Connection) -> Iterator[None]:
    """Keep one state of the database for the block."""
    connection.execute("BEGIN; SELECT count(*) FROM sqlite_schema").fetchall()
    try:
        yield
    finally:
        connection.execute("COMMIT")


def sync(path: str) -> None:
    """Make a file durable, or the names in a directory."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
