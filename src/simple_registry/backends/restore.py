"""A data directory from a backup: from one as a directory, or as an archive. Each content is verified on the way.

The new directory has no `format` before everything in it is durable, so no server starts in one that is incomplete.
"""

from functools import partial
from pathlib import Path
from typing import BinaryIO

from simple_registry.backends.copying import Watch, copy_content, copy_small_files
from simple_registry.clock import Clock
from simple_registry.faults import DatabaseLost, DataDirectoryRefused
from simple_registry.files import open_regular
from simple_registry.storage.filesystem.archive import DATABASE, FORMAT, Entry, entries
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.directory_copy import DirectoryCopy
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import READ_BYTES
from simple_registry.storage.filesystem.placement import stamp_of
from simple_registry.storage.records import ContentRecord
from simple_registry.storage.sqlite.copied_rows import CopiedRows
from simple_registry.storage.sqlite.engine.copies import copy_at
from simple_registry.storage.sqlite.engine.migrate import migrate


class Restore:
    """Fills one new data directory."""

    def __init__(self, data_dir: Path, watch: Watch, clock: Clock) -> None:
        """Restore into the directory at `data_dir`, which is made, or is empty.

        Raises: DataDirectoryRefused for any other.
        """
        self._disk = Disk()
        self._layout = DataDirectory.make(data_dir, self._disk)
        self._watch = watch
        self._clock = clock

    def from_directory(self, backup: Path) -> None:
        """Copy a backup, or any data directory that no server uses. What is damaged there is left out.

        Raises: StorageFault; then the new directory is incomplete.
        """
        source = DataDirectory.find(backup)
        if not Path(source.database).exists():
            raise DatabaseLost(source.database, "it is missing")
        target = DirectoryCopy(self._layout, self._disk)
        copy_at(source.database, self._layout.database)
        self._bring_up_to_date()
        copy_content(self._layout.database, source, target, self._watch)
        self._keep_stamps()
        copy_small_files(source, target)
        for path in sorted(Path(f"{source.root}/documents").rglob("*")):
            if path.is_file():
                target.write_file(source.relative(str(path)), path.read_bytes())
        target.finish()

    def from_file(self, archive: Path) -> None:
        """Unpack an archive, as `from_archive` does."""
        try:
            stream = open_regular(archive)
        except OSError as error:
            raise DataDirectoryRefused(str(archive), f"{error.strerror}; name a backup") from error
        with stream:
            self.from_archive(stream, str(archive))

    def from_archive(self, stream: BinaryIO, name: str) -> None:
        """Unpack the archive `name`. What is damaged there is left out.

        Raises: StorageFault; then the new directory is incomplete.
        """
        target = DirectoryCopy(self._layout, self._disk)
        for entry in entries(stream, name):
            self._unpack(entry, target)
        if not Path(self._layout.database).exists():
            raise DataDirectoryRefused(name, "it has no database; use another backup")
        self._keep_stamps()
        target.finish()

    def _unpack(self, entry: Entry, target: DirectoryCopy) -> None:
        if entry.path == DATABASE:
            self._unpack_database(entry)
        elif entry.digest is not None:
            record = ContentRecord(entry.digest, entry.size)
            target.write_content(record, CheckedReader(record, partial(self._read, entry)))
            self._watch.done()
        elif entry.path != FORMAT:
            target.write_file(entry.path, entry.read(entry.size))

    def _unpack_database(self, entry: Entry) -> None:
        fd = self._disk.create(self._layout.database)
        try:
            position = 0
            while data := entry.read(READ_BYTES):
                self._disk.write(fd, data, position)
                position += len(data)
        finally:
            self._disk.close(fd)
        self._bring_up_to_date()
        with CopiedRows(self._layout.database) as rows:
            self._watch.begin(*rows.totals())

    def _read(self, entry: Entry, size: int) -> bytes:
        data = entry.read(size)
        self._watch.read(len(data))
        return data

    def _keep_stamps(self) -> None:
        """Record that all content was verified, so that no first reader waits for it."""
        with CopiedRows(self._layout.database) as rows:
            found = ((record.digest, self._disk.stat(self._layout.blob(record.digest))) for record in rows.contents())
            stamps = [(digest, stamp_of(status)) for digest, status in found if status is not None]
            rows.mark_verified(stamps, self._clock.now())

    def _bring_up_to_date(self) -> None:
        """Migrate the rows that an earlier version backed up, and prepare them for another time."""
        migrate(self._layout.database)
        with CopiedRows(self._layout.database) as rows:
            rows.resume(self._clock.now())
