"""Stores to run the application on, each with a snapshot of everything it keeps, so that "unchanged" can be checked."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

import apsw

from simple_registry.backends import local
from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.inspection import Inspection
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from simple_registry.storage.sqlite.inspection import SqliteRowInspection
from simple_registry.storage.stores import Stores
from support.memory.content_store import MemoryContentStore
from support.memory.rows import MemoryRows
from support.memory.upload_store import MemoryUploadStore
from support.object_store.client import Objects, object_server
from support.object_store.inspection import ObjectInspection
from support.object_store.stores import ObjectContentStore, ObjectUploadStore


@dataclass(frozen=True, slots=True)
class Kept:
    """Stores, what they hold at the moment as a value that can be compared, and what `fsck` sees of them."""

    stores: Stores
    snapshot: Callable[[], object]
    write: Callable[[Digest, bytes | None], None]
    """Puts bytes in the place of content without anything noticing, or takes them away."""
    layout: Layout | None = None
    inspection: Inspection | None = None


def behind(stores: Stores) -> Kept:
    """Return the stores of an application that was built elsewhere, for a front that only sends requests."""

    def unavailable(*_: object) -> None:
        raise AssertionError("these stores have no raw access")

    return Kept(stores, unavailable, unavailable)


def in_memory(clock: Clock) -> Kept:
    """Return empty stores in memory."""
    content = MemoryContentStore()
    uploads = MemoryUploadStore(content, clock)
    rows = MemoryRows(clock)

    def snapshot() -> object:
        kept = {name: value for name, value in vars(rows).items() if name not in {"_clock", "_collecting"}}
        return deepcopy((kept, content.contents, uploads.sessions))

    def write(digest: Digest, data: bytes | None) -> None:
        content.contents.pop(digest, None)
        if data is not None:
            content.contents[digest] = data

    return Kept(Stores(rows=rows.rows, content=content, uploads=uploads), snapshot, write)


@contextmanager
def on_disk(directory: Path, clock: Clock) -> Iterator[Kept]:
    """Lend stores in a data directory."""
    claim = DataDirectory.claim(directory)
    layout, disk, threads = claim.layout, Disk(), Threads()
    migrate(layout.database)
    stores = Stores(
        rows=rows_of(Database(layout.database), clock),
        content=FilesystemContentStore(layout, disk, threads),
        uploads=FilesystemUploadStore(layout, disk, threads),
    )

    def snapshot() -> object:
        trees = (Path(layout.blobs), Path(layout.uploads))
        files = {str(path): path.stat().st_size for tree in trees for path in tree.rglob("*") if path.is_file()}
        return files, _rows(layout.database)

    def write(digest: Digest, data: bytes | None) -> None:
        path = Path(layout.blob(digest))
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        if data is not None:
            path.write_bytes(data)
            path.chmod(0o444)

    inspecting = Database(layout.database)
    try:
        yield Kept(stores, snapshot, write, layout, local.inspection_of(layout, inspecting, clock, threads))
    finally:
        asyncio.run(inspecting.close())
        threads.close()
        claim.release()


@contextmanager
def in_objects(directory: Path, clock: Clock) -> Iterator[tuple[Kept, Objects]]:
    """Lend stores with rows in a database and content in an object server, and that server."""
    path = str(directory / "registry.db")
    migrate(path)
    database = Database(path)
    with object_server() as port:
        objects = Objects(port)
        stores = Stores(rows_of(database, clock), ObjectContentStore(objects), ObjectUploadStore(objects))
        inspection = Inspection(
            stores.rows,
            stores.content,
            stores.uploads,
            SqliteRowInspection(database, clock),
            ObjectInspection(objects),
        )
        yield replace(behind(stores), inspection=inspection), objects


def _rows(database: str) -> dict[str, list[tuple[object, ...]]]:
    connection = apsw.Connection(database, flags=apsw.SQLITE_OPEN_READONLY)
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}
    finally:
        connection.close()
