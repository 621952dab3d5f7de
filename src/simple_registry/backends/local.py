"""The local backend: one data directory with a database and files.

A server claims the directory before it forks workers; each worker opens its own stores. Commands open stores without a
claim, whether or not a server runs: several processes may write, through the lock of writers, and a running server sees
a change at its next read. Commands must run as the user that owns the directory.
"""

import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from simple_registry.clock import Clock, SystemClock
from simple_registry.faults import StorageFault
from simple_registry.storage.filesystem.adoption import FilesystemAdoption
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory, RunningServer, running_server
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.key_file import KeyFile
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.login_file import LoginFile
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.inspection import Inspection
from simple_registry.storage.sources import FileAdoption
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate, require_current
from simple_registry.storage.sqlite.engine.reserve import LOG_RESERVE
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from simple_registry.storage.sqlite.snapshots import Snapshots
from simple_registry.storage.stores import DiskSpace, Stores

READERS = 2
"""Threads that read content for `fsck`: enough for a busy disk, few enough to leave the processor to the server."""

_log = logging.getLogger("simple_registry")


def claim(data_dir: Path, *, make_keys: bool = True, upgrading: Callable[[], None] = lambda: None) -> DataDirectory:
    """Claim the data directory and bring its database up to date, before workers are forked.

    With `make_keys`, missing signing keys are created. `upgrading` is called before a migration that can take minutes.
    The claim lasts as long as the returned value and all forked workers.

    Raises: StorageFault, whose message says what to do.
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


def find_server(data_dir: Path) -> RunningServer | None:
    """Return the server that uses a directory, or `None`. Raises: StorageFault."""
    return running_server(data_dir)


def open_stores(data_dir: Path, clock: Clock, *, read_only: bool = False) -> Stores:
    """Open the stores of a claimed directory, once per worker, on its event loop.

    With `read_only`, they refuse every change.

    Raises: StorageFault.
    """
    layout = Layout(data_dir)
    return _stores(layout, Database(layout.database, LOG_RESERVE, read_only=read_only), clock, Threads())


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
    """Return the file of signing keys of a directory. Nothing is read yet."""
    return KeyFile(Layout(data_dir).signing_keys, clock)


def open_login_file(data_dir: Path, clock: Clock, *, keep_days: int) -> LoginFile:
    """Return the file of recent logins of a directory. Nothing is read yet."""
    return LoginFile(Layout(data_dir).logins, Disk(), clock, keep_days=keep_days)


def open_snapshots(data_dir: Path, clock: Clock, *, keep: int, interval: float) -> Snapshots:
    """Return the rolling snapshots of a directory's database. Nothing is read yet."""
    layout = Layout(data_dir)
    return Snapshots(layout.database, layout.snapshots, clock, keep=keep, interval=interval)


def replace_file(path: Path, text: str) -> None:
    """Replace a small file of the data directory, durably and readable by its owner only. Raises: StorageFault."""
    Disk().replace(str(path), text.encode())


def remove_file(path: Path) -> bool:
    """Remove a file of the data directory; return whether there was one. Raises: StorageFault."""
    return Disk().unlink(str(path))


@asynccontextmanager
async def stores_for_command(data_dir: Path) -> AsyncIterator[Stores]:
    """Open the stores of a directory that a server has made, for the block.

    Raises: StorageFault when this program cannot use the directory or its database.
    """
    layout, threads = DataDirectory.find(data_dir), Threads()
    require_current(layout.database)
    database = Database(layout.database)  # without a reserved log, which belongs to the server
    stores = _stores(layout, database, SystemClock(), threads)
    try:
        yield stores
    finally:
        await stores.rows.close()
        threads.close()


def make(data_dir: Path) -> None:
    """Make the directory and its database, also after an attempt that was interrupted; one in use is left alone.

    Raises: StorageFault, as `claim`.
    """
    database = Layout(data_dir).database
    with suppress(StorageFault):
        require_current(database)
        return
    directory = DataDirectory.claim(data_dir)
    try:
        if not directory.read_only and directory.traces() is None:
            migrate(database, traces=directory.traces, log_reserve=LOG_RESERVE)
    finally:
        directory.release()


@asynccontextmanager
async def adoption_for_command(data_dir: Path) -> AsyncIterator[tuple[Stores, FileAdoption]]:
    """Open the stores of a directory, and what takes files into its content tree, for the block.

    Raises: as `stores_for_command`.
    """
    async with stores_for_command(data_dir) as stores:
        threads = Threads()
        try:
            yield stores, FilesystemAdoption(Layout(data_dir), Disk(), threads)
        finally:
            threads.close()


@asynccontextmanager
async def inspection_for_command(data_dir: Path) -> AsyncIterator[Inspection]:
    """Open the stores of a directory that a server has made, as `fsck` inspects and repairs them, for the block.

    Raises: DatabaseLost, which is a finding; StorageFault when this program cannot use the directory or its database.
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
    """Return the inspection of open stores, for `fsck`."""
    stores = _stores(layout, database, clock, threads)
    files = FilesystemInspection(layout, Disk(), threads)
    rows = SqliteRowInspection(database, clock)
    return Inspection(stores.rows, stores.content, stores.uploads, rows, contents=files, tree=files)
