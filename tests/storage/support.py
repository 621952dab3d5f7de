"""Shared by the storage tests: a settable clock, and all three stores of one kind."""

import asyncio
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.contents import Contents
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.protocols.content import ContentStore, UploadStore
from simple_registry.storage.protocols.rows import Rows
from simple_registry.storage.records import (
    BlobAdded,
    ContentRecord,
    ManifestRow,
    ManifestStored,
    Received,
    SessionRow,
)
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import migrate
from support.actors import ACTOR
from support.memory.content_store import MemoryContentStore
from support.memory.rows import MemoryRows
from support.memory.upload_store import MemoryUploadStore
from support.streams import stream_of

REPOSITORY = RepositoryName("team/app")
OTHER = RepositoryName("team/other")


class ManualClock:
    """A clock that only tests move. It starts at the present time, because the times of files come from the machine."""

    def __init__(self):
        self.time = time.time()

    def now(self):
        return self.time

    def monotonic(self):
        return self.time


@dataclass
class Stores:
    content: ContentStore
    uploads: UploadStore
    rows: Rows
    clock: ManualClock

    async def read(self, record: ContentRecord) -> bytes | None:
        content = await self.content.open(record)
        return None if content is None else await content.read()


def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(coroutine)


def blob_of(data: bytes, algorithm: str = "sha256") -> ContentRecord:
    return ContentRecord(digest_of(data, algorithm), len(data))


def manifest_of(data: bytes, **values) -> ManifestRow:
    defaults = {
        "media_type": "application/vnd.oci.image.manifest.v1+json",
        "artifact_type": None,
        "annotations": b"{}",
        "subject": None,
        "children": (),
    }
    return ManifestRow(digest=digest_of(data), size=len(data), **(defaults | values))


def session_of(name: str = "s", **values: Any) -> SessionRow:
    defaults = {"repository": REPOSITORY, "identity": "alice", "algorithm": "sha256", "received": Received()}
    return SessionRow(session=name, **(defaults | {"touched": 5.0, "started": 4.0} | values))


def memory_stores(clock: ManualClock) -> Stores:
    content = MemoryContentStore()
    return Stores(content, MemoryUploadStore(content, clock), MemoryRows(clock).rows, clock)


@contextmanager
def disk_stores(path: Path, clock: ManualClock, disk: Disk | None = None) -> Iterator[Stores]:
    directory = DataDirectory.claim(path)
    migrate(directory.layout.database)
    with opened_stores(directory.layout, clock, disk) as stores:
        yield stores
    directory.release()


@contextmanager
def opened_stores(layout: Layout, clock: ManualClock, disk: Disk | None = None) -> Iterator[Stores]:
    disk, threads = disk or Disk(), Threads(4)
    stores = Stores(
        FilesystemContentStore(layout, disk, threads),
        FilesystemUploadStore(layout, disk, threads),
        rows_of(Database(layout.database), clock),
        clock,
    )
    try:
        yield stores
    finally:
        run(stores.rows.close())
        threads.close()


def contents_of(stores: Stores) -> Contents:
    return Contents(stores.rows.contents, stores.rows.garbage, stores.content)


async def mark_damaged(rows: Rows, content: ContentRecord) -> bool:
    """Mark content as a reader that found its bytes damaged. Returns whether it was whole at its place."""
    found = await rows.contents.find_content(content.digest)
    return found is not None and found.place == content.place and await rows.contents.mark_damaged(found)


async def push(stores: Stores, session: str, data: bytes, repository: RepositoryName = REPOSITORY) -> ContentRecord:
    """Push a blob as `operations` does."""
    blob = blob_of(data)
    async with stores.rows.sessions.hold(session):
        chunks = stream_of(data[: len(data) // 2], data[len(data) // 2 :])
        received = await stores.uploads.extend(session, Received(), "sha256", chunks, last=True)
        assert received == Received(blob.size, blob.digest if data else None)
        added = await contents_of(stores).place(
            blob.digest,
            publish=lambda: stores.uploads.publish(session, received, blob.digest),
            confirm=lambda placed, removals: stores.rows.blobs.add_blob(
                repository,
                replace(blob, place=placed.place, stamp=placed.stamp),
                removals=removals,
                session=session,
                actor=ACTOR,
            ),
        )
        assert added == BlobAdded()
        await stores.uploads.discard(session, received)
    return blob


async def put_manifest(stores: Stores, data: bytes, repository: RepositoryName = REPOSITORY, **values) -> ManifestRow:
    """Push a manifest as `operations` does."""
    manifest = manifest_of(data, **values)
    put = await contents_of(stores).place(
        manifest.digest,
        publish=lambda: stores.content.put(manifest.digest, data),
        confirm=lambda placed, removals: stores.rows.manifests.put_manifest(
            repository,
            manifest,
            place=placed.place,
            stamp=placed.stamp,
            removals=removals,
            tags=(),
            parts=(),
            actor=ACTOR,
        ),
    )
    assert isinstance(put, ManifestStored)
    return manifest
