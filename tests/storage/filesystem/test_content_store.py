"""Content as files: the order of a put, and what a put that fails leaves."""

import asyncio
import os
import stat
from pathlib import Path

import pytest

from simple_registry.content import LocalFile
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import ContentRecord
from storage.filesystem.disks import FullDisk, RecordingDisk
from storage.support import blob_of, run

DATA = b"manifest"
DIGEST = digest_of(DATA)
BLOB = ContentRecord(DIGEST, len(DATA))
OTHER = blob_of(b"other")


@pytest.fixture
def threads():
    threads = Threads(2)
    yield threads
    threads.close()


def files(layout):
    return sorted(name for _, _, names in [*os.walk(layout.blobs), *os.walk(layout.uploads)] for name in names)


def test_a_put_makes_bytes_and_name_durable(layout, threads):
    disk = RecordingDisk()
    store = FilesystemContentStore(layout, disk, threads)
    run(store.put(DIGEST, DATA))
    assert disk.taken() == [
        "create <temporary>",
        "write <temporary>",
        "make_read_only <temporary>",
        f"make_directory {DIGEST.encoded[:2]}",
        "fsync_directory sha256",
        "link <temporary>",
        "fsync <temporary>",
        f"fsync_directory {DIGEST.encoded[:2]}",
        "unlink <temporary>",
    ]
    run(store.put(DIGEST, DATA))
    assert files(layout) == [DIGEST.encoded]


def test_content_is_a_read_only_file(layout, threads):
    store = FilesystemContentStore(layout, Disk(), threads)
    run(store.put(DIGEST, DATA))
    first = run(store.open(BLOB))
    assert first == LocalFile(layout.blob(DIGEST), len(DATA), first.version, first.stamp)
    run(store.put(DIGEST, DATA))
    assert run(store.open(BLOB)) != first
    assert stat.S_IMODE(os.stat(layout.blob(DIGEST)).st_mode) == 0o444


@pytest.mark.parametrize("failing", ["create", "write", "make_read_only", "make_directory", "link"])
def test_a_full_disk_leaves_nothing(layout, threads, failing):
    store = FilesystemContentStore(layout, FullDisk(failing), threads)
    with pytest.raises(StorageFull):
        run(store.put(DIGEST, DATA))
    assert files(layout) == []
    run(FilesystemContentStore(layout, Disk(), threads).put(DIGEST, DATA))
    assert files(layout) == [DIGEST.encoded]


def test_a_cancelled_put_leaves_no_temporary_file(layout, threads):
    async def scenario():
        task = asyncio.create_task(FilesystemContentStore(layout, Disk(), threads).put(DIGEST, DATA))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(scenario())
    assert os.listdir(layout.uploads) == []


def test_a_name_that_is_not_durable_is_not_acknowledged(layout, threads):
    store = FilesystemContentStore(layout, FullDisk("fsync_directory"), threads)
    with pytest.raises(StorageFault):
        run(store.put(DIGEST, DATA))


def test_a_directory_with_the_name_of_content_is_not_content(layout, threads):
    os.makedirs(layout.blob(DIGEST))
    assert run(FilesystemContentStore(layout, Disk(), threads).open(BLOB)) is None


def test_a_directory_in_the_place_of_content_does_not_keep_it_from_being_removed(layout, threads):
    path = Path(layout.blob(DIGEST))
    (path / "other").mkdir(parents=True)
    run(FilesystemContentStore(layout, Disk(), threads).remove(BLOB))
    assert not path.exists()
    assert Path(f"{path}.displaced", "other").is_dir()


@pytest.mark.parametrize("lost", ["root", "format", "blobs"])
def test_a_data_directory_that_is_gone_is_a_fault_and_not_absence(layout, threads, lost):
    store = FilesystemContentStore(layout, Disk(), threads)
    run(store.put(DIGEST, DATA))
    assert not run(store.has(OTHER))
    store.check()
    path = Path(getattr(layout, lost))
    aside = path.with_name(f"{path.name}.aside")
    path.rename(aside)
    for ask in (store.check, lambda: run(store.has(OTHER)), lambda: run(store.open(OTHER))):
        with pytest.raises(StorageFault, match="is gone"):
            ask()
    if lost == "blobs":
        path.mkdir()
        with pytest.raises(StorageFault, match="is gone"):  # as an empty mount point
            run(store.has(BLOB))
        with pytest.raises(StorageFault, match="is gone"):  # its row must stay, since its file does
            run(store.remove(BLOB))
        late = FilesystemContentStore(layout, Disk(), threads)
        with pytest.raises(StorageFault, match="is gone"):
            late.check()
        (path / "sha256").mkdir()
        with pytest.raises(StorageFault, match="was replaced"):  # as a restore that is still copying
            run(store.has(BLOB))
        (path / "sha256").rmdir()
        path.rmdir()
    aside.rename(path)
    if lost == "blobs":
        late.check()
    store.check()
    assert run(store.has(BLOB))
    assert run(store.open(OTHER)) is None
