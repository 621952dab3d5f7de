"""The local backend: one data directory with a database and files.

A server claims the directory before it forks workers; each worker opens the stores for itself. Commands open them
without a claim, beside a server or without one: SQLite and the lock of writers let several processes write, and a
running server sees a change at its next read. They run as the user that owns the directory, and as no other.
"""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from simple_registry.clock import Clock, SystemClock
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.key_file import KeyFile
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.login_file import LoginFile
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.inspection import Inspection
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate, require_current
from simple_registry.storage.sqlite.engine.reserve import LOG_RESERVE
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from simple_registry.storage.stores import DiskSpace, Stores

READERS = 2
"""Threads that read content for `fsck`: enough to keep a disk busy, few enough to leave the processor to the server."""

_log = logging.getLogger("simple_registry")


def claim(data_dir: Path, *, make_keys: bool = True, upgrading: Callable[[], None] = lambda: None) -> DataDirectory:
    """Claim the data directory and bring its database up to date, before workers are forked.

    Signing keys are made where they are missing, unless the operator gave one. `upgrading` is called before a migration
    that can take minutes. The claim lasts while the returned
    value, or any forked worker, lives.

    Raises: StorageFault, in one line that says what to do.
    """
    directory = DataDirectory.claim(data_dir)
    database = directory.layout.database
    if directory.read_only:
        require_current(database)
        _log.warning("the data directory is read-only: pulls are served, nothing can be pushed or deleted")
    else:
        migrate(database, traces=directory.traces, log_reserve=LOG_RESERVE, upgrading=upgrading)
    if make_keys:
        open_key_file(data_dir, SystemClock()).prepare()
    return directory


def open_stores(data_dir: Path, clock: Clock) -> Stores:
    """Open the stores of a claimed directory, for a worker; once per process, on its event loop.

    Raises: StorageFault.
    """
    layout = Layout(data_dir)
    return _stores(layout, Database(layout.database, LOG_RESERVE), clock, Threads())


def _stores(layout: Layout, database: Database, clock: Clock, threads: Threads) -> Stores:
    disk = Disk()
    return Stores(
        rows=rows_of(database, clock),
        content=FilesystemContentStore(layout, disk, threads),
        uploads=FilesystemUploadStore(layout, disk, threads),
        database=database,
        disk_space=lambda: _disk_space(layout.root),
    )


def _disk_space(root: str) -> DiskSpace:
    found = os.statvfs(root)
    return DiskSpace(free=found.f_bavail * found.f_frsize, size=found.f_blocks * found.f_frsize)


def open_key_file(data_dir: Path, clock: Clock) -> KeyFile:
    """Return the signing keys of a directory; nothing is read yet."""
    return KeyFile(Layout(data_dir).signing_keys, clock)


def open_login_file(data_dir: Path, clock: Clock, *, keep_days: int) -> LoginFile:
    """Return the logins of the last days in a directory; nothing is read yet."""
    return LoginFile(Layout(data_dir).logins, Disk(), clock, keep_days=keep_days)


def replace_file(path: Path, text: str) -> None:
    """Replace a small file of the data directory, durably and readable by its owner only. Raises: StorageFault."""
    Disk().replace(str(path), text.encode())


def remove_file(path: Path) -> bool:
    """Remove a file of the data directory; return whether there was one. Raises: StorageFault."""
    return Disk().unlink(str(path))


@asynccontextmanager
async def stores_for_command(data_dir: Path) -> AsyncIterator[Stores]:
    """Lend the stores of a directory that a server has made.

    Raises: StorageFault when the directory or its database is not one that this program can use.
    """
    layout, threads = DataDirectory.find(data_dir), Threads()
    require_current(layout.database)
    database = Database(layout.database)  # without room for a log that outlives it, which is the server's
    stores = _stores(layout, database, SystemClock(), threads)
    try:
        yield stores
    finally:
        await stores.rows.close()
        threads.close()


@asynccontextmanager
async def inspection_for_command(data_dir: Path) -> AsyncIterator[Inspection]:
    """Lend the stores of a directory that a server has made, as `fsck` inspects and repairs them.

    Raises: DatabaseLost, which is a finding of its own; StorageFault when the directory or its database is not one that
    this program can use, or repair.
    """
    layout = DataDirectory.find(data_dir)
    require_current(layout.database)
    database, threads = Database(layout.database), Threads(READERS)
    try:
        yield inspection_of(layout, database, SystemClock(), threads)
    finally:
        await database.close()
        threads.close()


def inspection_of(layout: Layout, database: Database, clock: Clock, threads: Threads) -> Inspection:
    """Return what `fsck` needs of open stores."""
    stores = _stores(layout, database, clock, threads)
    files = FilesystemInspection(layout, Disk(), threads)
    rows = SqliteRowInspection(database, clock)
    return Inspection(stores.rows, stores.content, stores.uploads, rows, contents=files, tree=files)
