"""Backups of a data directory, made beside the server that uses it.

    removals held off ─► rows ─► content of those rows, verified ─► small files ─► format

Everything that was acknowledged before the rows are copied is in the backup: the file of a row is older than the row,
and none is removed before the backup is complete. A backup is a data directory by itself, or an archive of one.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from simple_registry.backends.copying import RETRIES, Copied, Target, Watch, copy_content, copy_small_files
from simple_registry.clock import Clock
from simple_registry.faults import DataDirectoryRefused, StorageReadOnly
from simple_registry.storage.filesystem.archive import ArchiveCopy
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.directory_copy import DirectoryCopy
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.sqlite.copied_rows import CopiedRows
from simple_registry.storage.sqlite.engine.connections import is_read_only
from simple_registry.storage.sqlite.engine.copies import copy_at
from simple_registry.storage.sqlite.engine.migrate import require_current
from simple_registry.storage.sqlite.removals import without_removals
from simple_registry.times import TimeInvalid, format_stamp, parse_stamp

PAUSE = 0.01
"""Seconds between two steps of the copy of the database."""

INCOMPLETE = "incomplete"
"""The name of a backup that is being made, or whose process died; the next one removes it."""


class Backup:
    """Makes backups of one data directory."""

    def __init__(self, data_dir: Path, documents: Mapping[str, bytes], watch: Watch, clock: Clock) -> None:
        """Back up the directory at `data_dir` and, with these paths below `documents/`, some documents.

        Raises: StorageFault when this program cannot use the directory or its database.
        """
        self._source = DataDirectory.find(data_dir)
        require_current(self._source.database)
        self._documents = documents
        self._watch = watch
        self._clock = clock
        self._disk = Disk()

    def to_directory(self, directory: Path) -> tuple[Path, Copied]:
        """Make a backup below `directory`, named by the time. Content that the last one there has is linked to it.

        Raises: StorageFault; then no backup was made.
        """
        with self._claimed(directory):
            made = directory / format_stamp(self._clock.now())
            if made.exists():
                raise DataDirectoryRefused(str(made), "there is a backup of this second already")
            incomplete = Layout(directory / INCOMPLETE)
            shutil.rmtree(incomplete.root, ignore_errors=True)
            self._disk.make_directory(incomplete.root)
            previous = last_backup(directory)
            target = DirectoryCopy(incomplete, self._disk, None if previous is None else Layout(previous))
            try:
                with self._without_removals():
                    self._copy_rows(incomplete.database)
                    copied = self._copy_rest(incomplete.database, target)
            except BaseException:
                shutil.rmtree(incomplete.root, ignore_errors=True)  # on a full disk it would be in the way
                raise
            self._disk.rename(incomplete.root, str(made))
            self._disk.fsync_directory(str(directory))
        return made, copied

    def to_file(self, archive: Path) -> Copied:
        """Make a backup as a new archive.

        Raises: StorageFault; then no backup was made.
        """
        unfinished = f"{archive}.new"
        if self._disk.stat(str(archive)) is not None:
            raise DataDirectoryRefused(str(archive), "it exists already; choose another name")
        try:
            self._disk.unlink(unfinished)
        except StorageReadOnly as fault:
            raise DataDirectoryRefused(str(archive), "Read-only file system; choose another place") from fault
        fd = self._disk.create(unfinished)
        try:
            with os.fdopen(fd, "wb") as stream:
                copied = self.to_archive(stream, archive.parent)
                self._disk.fsync(fd)
            self._disk.rename(unfinished, str(archive))
        except BaseException:
            self._disk.unlink(unfinished)
            raise
        self._disk.fsync_directory(str(archive.parent))
        return copied

    def to_archive(self, stream: BinaryIO, scratch: Path | None) -> Copied:
        """Write a backup as an archive. The database, and nothing else, is copied to the directory `scratch` first.

        Raises: StorageFault.
        """
        with tempfile.TemporaryDirectory(prefix="simple-registry-", dir=scratch) as folder, self._without_removals():
            database = Path(folder) / "registry.db"
            self._copy_rows(str(database))
            target = ArchiveCopy(stream, self._source)
            target.write_database(database)
            return self._copy_rest(str(database), target)

    def _copy_rows(self, database: str) -> None:
        copy_at(self._source.database, database, pause=PAUSE)
        with CopiedRows(database) as rows:
            rows.forget_sessions()

    def _copy_rest(self, database: str, target: Target) -> Copied:
        copied = copy_content(database, self._source, target, self._watch, retries=RETRIES)
        copy_small_files(self._source, target)
        for path, data in self._documents.items():
            target.write_file(f"documents/{path}", data)
        target.finish()
        return copied

    def _without_removals(self) -> AbstractContextManager[None]:
        database = self._source.database
        return nullcontext() if is_read_only(database) else without_removals(database)

    @contextmanager
    def _claimed(self, directory: Path) -> Iterator[None]:
        """Make one backup at a time below a directory."""
        if self._disk.stat(str(directory / "format")) is not None:
            raise DataDirectoryRefused(str(directory), "it is a data directory; choose another one for backups")
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise DataDirectoryRefused(str(directory), f"{error.strerror}; choose another directory") from error
        try:
            if not self._disk.try_lock(lock):
                raise DataDirectoryRefused(str(directory), "another backup is being made there; wait for it")
            yield
        finally:
            os.close(lock)


def last_backup(directory: Path) -> Path | None:
    """Return the newest complete backup below a directory."""
    return max(filter(_is_backup, directory.iterdir()), default=None, key=lambda path: path.name)


def _is_backup(path: Path) -> bool:
    try:
        parse_stamp(path.name)
    except TimeInvalid:
        return False
    return (path / "format").exists()
