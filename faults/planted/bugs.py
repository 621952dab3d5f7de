"""Our registry with one planted bug, which a campaign must catch: `python -m faults.planted.bugs <bug> serve …`.

Each bug is a function that replaces one thing before the program starts: the ways in which registries lose data.
"""

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import apsw

from faults.planted.collectors import COLLECTORS
from faults.planted.races import RACES
from simple_registry.backends import local
from simple_registry.cli.main import main
from simple_registry.content import Content, LocalFile
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.oci.digests import Digest
from simple_registry.operations import manifests
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.operations.verification import Verification
from simple_registry.storage.filesystem import disk
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.placement import Placement, stamp_of
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.filesystem.upload_writer import Extension
from simple_registry.storage.records import BlobAdded, ContentRecord, ManifestRow, ManifestStored, Placed
from simple_registry.storage.sqlite.engine import commits, connections, migrate
from simple_registry.storage.sqlite.rows.blobs import SqliteBlobRows
from simple_registry.storage.sqlite.rows.manifests import SqliteManifestRows

BUGS: dict[str, Callable[[], None]] = {}


def bug(plant: Callable[[], None]) -> Callable[[], None]:
    """Give a bug the name of its function, with hyphens."""
    BUGS[plant.__name__.replace("_", "-")] = plant
    return plant


def _nothing(*_: object) -> None:
    return None


@bug
def no_data_fsync() -> None:
    """Bytes get their name without being on disk."""
    Disk.fsync = _nothing


@bug
def blind_fsck() -> None:
    """A check never reports missing content."""
    from simple_registry.operations.fsck import contents

    compare = contents.compare
    contents.compare = lambda row, stored, actual=None: None if stored is None else compare(row, stored, actual)


@bug
def trusting_fsck() -> None:
    """A deep check believes what the size says."""
    from simple_registry.operations.fsck.contents import ContentCheck

    ContentCheck._must_read = lambda *_: False


@bug
def removing_fsck() -> None:
    """A repair removes what it should move to the quarantine."""
    import shutil

    from simple_registry.storage.filesystem.inspection import FilesystemInspection

    set_aside = FilesystemInspection.set_aside

    async def remove(self: FilesystemInspection, *what: Any) -> str:
        moved = await set_aside(self, *what)
        shutil.rmtree(self._layout.quarantine)
        return moved

    FilesystemInspection.set_aside = remove


@bug
def hasty_fsck() -> None:
    """A check believes its first look at a row, and at the bytes somewhat later, as it may be on a slow disk."""
    from simple_registry.operations.fsck.contents import ContentCheck

    suspect = ContentCheck.suspect

    async def slowly(self: ContentCheck, row: Any, _stored: Any) -> Any:
        if not (await self._rows.uses(row.record.digest, 1)).repositories:
            await asyncio.sleep(0.4)
        return await suspect(self, row, await self._find(row))

    async def believe(self: ContentCheck, row: Any, suspicion: Any) -> Any:
        return suspicion and await self._finding(row, suspicion, await self._rows.uses(row.record.digest, 1))

    ContentCheck.suspect = slowly
    ContentCheck.confirm = believe


@bug
def no_directory_fsync() -> None:
    """Names are not on disk."""
    Disk.fsync_directory = _nothing


@bug
def synchronous_normal() -> None:
    """Commits are in the log, and the log is not on disk."""
    wait = commits.Commits._set_synchronous
    commits.Commits._set_synchronous = lambda self, _wait: wait(self, False)


@bug
def answer_before_commit() -> None:
    """Clients hear of blobs and manifests before their rows are written."""
    tasks = set()

    def early(rows: type, method: str, answer: object) -> None:
        real = getattr(rows, method)

        async def later(*arguments: object, **options: object) -> None:
            await asyncio.sleep(0.005)
            await real(*arguments, **options)

        async def at_once(*arguments: object, **options: object) -> object:
            task = asyncio.create_task(later(*arguments, **options))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            return answer

        setattr(rows, method, at_once)

    early(SqliteBlobRows, "add_blob", BlobAdded())
    early(SqliteManifestRows, "put_manifest", ManifestStored({}))


@bug
def row_before_file() -> None:
    """A blob has its row before its file has its name."""
    publish, add = FilesystemUploadStore.publish, SqliteBlobRows.add_blob
    waiting = {}

    async def promise(store: FilesystemUploadStore, session: str, *what: Any) -> Placed:
        waiting[session] = publish(store, session, *what)
        return Placed()

    async def keep(rows: SqliteBlobRows, *what: object, session: str | None = None, **options: Any) -> object:
        added = await add(rows, *what, session=session, **options)
        if session in waiting:
            await asyncio.sleep(0.005)
            await waiting.pop(session)
        return added

    FilesystemUploadStore.publish, SqliteBlobRows.add_blob = promise, keep


@bug
def swallowed_enospc() -> None:
    """Writes count as done when the disk is full."""
    write = Disk.write

    def swallow(disk: Disk, *arguments: object) -> None:
        with suppress(StorageFull):
            write(disk, *arguments)

    Disk.write = swallow


@bug
def swallowed_fsync_error() -> None:
    """Bytes count as durable when they could not be made so."""
    fsync = Disk.fsync

    def swallow(disk: Disk, fd: int) -> None:
        with suppress(StorageFault):
            fsync(disk, fd)

    Disk.fsync = swallow


@bug
def retried_fsync() -> None:
    """Bytes count as durable when a second attempt finds nothing left to write: the first one dropped them."""
    fsync = Disk.fsync

    def insist(disk: Disk, fd: int) -> None:
        try:
            fsync(disk, fd)
        except StorageFault:
            fsync(disk, fd)

    Disk.fsync = insist


@bug
def log_never_suspect() -> None:
    """Commits continue after one whose sync failed, which stays in the log."""
    commits.Commits._suspect_log_after = _nothing


@bug
def file_removed_before_rename() -> None:
    """A file that is replaced is missing for a moment, as when the old one is removed before the new one is moved."""
    rename = Disk.rename

    def replace(self: Disk, source: str, target: str) -> None:
        if self.unlink(target):
            time.sleep(0.002)
        rename(self, source, target)

    Disk.rename = replace


@bug
def dropped_tag() -> None:
    """One tag in fifty is acknowledged and not written."""
    put = SqliteManifestRows.put_manifest

    async def drop(self: Any, *values: Any, tags: Sequence[Any], **named: Any) -> Any:
        return await put(self, *values, tags=[] if random.random() < 0.02 else tags, **named)

    SqliteManifestRows.put_manifest = drop


@bug
def received_before_durable() -> None:
    """A session reports received bytes that are not on disk; only the closing PUT syncs."""
    sync = Extension.sync

    def skip(self: Any) -> Any:
        disk, self._disk = self._disk, _Careless()
        try:
            return sync(self)
        finally:
            self._disk = disk

    Extension.sync = skip


class _Careless(Disk):
    fsync = fsync_directory = _nothing


# ---------------------------------------------------------------- full disks


@bug
def no_room_for_the_log() -> None:
    """The database's log takes room only when it needs some."""
    local.LOG_RESERVE = 0


@bug
def refused_bytes_are_kept() -> None:
    """What arrived of an upload before the disk was full stays."""
    Extension.undo = _nothing


# ---------------------------------------------------------------- read-only disks


@bug
def the_log_is_overlooked() -> None:
    """Where nothing can be written, the database is read without the rows in its log."""
    connections._size = lambda _path: 0
    connect = apsw.Connection

    def refuse(path: str, **how: Any) -> apsw.Connection:
        if how["flags"] & apsw.SQLITE_OPEN_READWRITE and connections.is_read_only(path):
            raise apsw.CantOpenError
        return connect(path, **how)

    connections.apsw.Connection = refuse


@bug
def read_only_is_any_fault() -> None:
    """A disk that is read-only fails like any other."""
    disk.fault_of = lambda _error: StorageFault


# ---------------------------------------------------------------- clocks


@bug
def ages_by_the_wall() -> None:
    """How old something is, is what the clock on the wall says."""
    Cutoffs.before = lambda self, age: self._clock.now() - age


# ---------------------------------------------------------------- damage


@bug
def begun_anew() -> None:
    """A missing database is created, whatever else exists."""
    migrate._require_unused = _nothing


@bug
def no_size_check() -> None:
    """Whatever has the name of content is content."""
    FilesystemContentStore.open = _open_whatever_is_there


async def _open_whatever_is_there(self: FilesystemContentStore, record: ContentRecord) -> LocalFile | None:
    path = self._layout.blob(record.digest)
    return LocalFile(path, record.size, stamp=record.stamp) if os.path.isfile(path) else None  # noqa: ASYNC240


@bug
def stamps_ignored() -> None:
    """Content counts as verified, whatever became of its file."""
    Verification.is_verified = lambda *_: True


@bug
def manifests_unchecked() -> None:
    """A manifest is not compared with its digest when it is read."""

    async def read(_manifests: object, _row: object, content: Content) -> bytes:
        return await content.read()

    manifests.Manifests._read_intact = read


@bug
def manifests_from_memory() -> None:
    """A manifest that was read once is served from memory, whatever became of its file."""
    open_, kept = manifests.Manifests._open, {}

    async def open_once(self: manifests.Manifests, row: ManifestRow) -> Content:
        if row.digest not in kept:
            kept[row.digest] = await open_(self, row)
        return kept[row.digest]

    manifests.Manifests._open = open_once


@bug
def existing_content_is_kept() -> None:
    """A push of content that has its name already leaves what is there."""
    give_name = Placement.link

    def give_new_name(self: Placement, fd: int, path: str, digest: Digest) -> Placed:
        named = self._layout.blob(digest)
        return Placed(stamp=stamp_of(os.stat(named))) if os.path.exists(named) else give_name(self, fd, path, digest)

    Placement.link = give_new_name


def one_file_thread() -> None:
    """No bug: the calls of an operation come from the same threads in the same order every time."""
    Threads.__init__.__defaults__ = (1,)


for plant in (*RACES, *COLLECTORS):
    bug(plant)


if __name__ == "__main__":
    for name in sys.argv[1].split("+"):
        (BUGS | {"one-file-thread": one_file_thread})[name]()
    sys.exit(main(sys.argv[2:]))
