"""What `purge` changes in the local backend: rows, content, the quarantine, and snapshots of the database."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from simple_registry.backends.local import open_snapshots
from simple_registry.clock import SystemClock
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.purging import Purging, SnapshotsReplaced
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import require_current
from simple_registry.storage.sqlite.engine.reserve import LOG_RESERVE
from simple_registry.storage.sqlite.rows.garbage import SqliteGarbageRows
from simple_registry.storage.sqlite.rows.purge import SqlitePurgeRows
from simple_registry.storage.sqlite.snapshots import Snapshots


class DirectoryCopies:
    """The copies that a data directory has of content and of rows."""

    def __init__(self, layout: Layout, files: FilesystemInspection, snapshots: Snapshots) -> None:
        self._layout = layout
        self._files = files
        self._snapshots = snapshots

    async def remove_quarantined(self, digest: Digest) -> tuple[str, ...]:
        """Remove the files that the quarantine has under the name of this content. Return their paths."""
        return await self._files.remove_quarantined(digest)

    async def replace_snapshots(self, digest: Digest) -> SnapshotsReplaced:
        """Replace snapshots of the database that have rows of this content by a new one.

        The copies that migrations leave are the operator's, and only named.
        """
        removed, left = await asyncio.to_thread(self._snapshots.replace, digest)
        database = Path(self._layout.database)
        before = sorted(str(path) for path in database.parent.glob(f"{database.name}.before-*"))
        relative = self._layout.relative
        return SnapshotsReplaced(tuple(map(relative, removed)), tuple(map(relative, (*left, *before))))


@asynccontextmanager
async def purging_for_command(data_dir: Path, *, keep: int, interval: float) -> AsyncIterator[Purging]:
    """Open what `purge` changes, for the block, whether or not a server runs; the last `keep` snapshots are kept.

    Raises: StorageFault when this program cannot use the directory or its database.
    """
    layout, disk, threads, clock = DataDirectory.find(data_dir), Disk(), Threads(), SystemClock()
    require_current(layout.database)
    # With a reserved log, as the server: it is emptied at the end, and so has no earlier states of the rows.
    database = Database(layout.database, LOG_RESERVE)
    snapshots = open_snapshots(data_dir, clock, keep=keep, interval=interval)
    try:
        yield Purging(
            SqlitePurgeRows(database, clock),
            SqliteGarbageRows(database, clock),
            FilesystemContentStore(layout, disk, threads),
            DirectoryCopies(layout, FilesystemInspection(layout, disk, threads), snapshots),
        )
    finally:
        await database.close()
        threads.close()
