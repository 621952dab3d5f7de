"""Sessions as files: the order of a publish, and what a failure leaves."""

import asyncio
import os
import time
from pathlib import Path

import pytest

from simple_registry.faults import StorageFull, StorageReadOnly
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import MIN_ROOM, FilesystemUploadStore
from simple_registry.storage.protocols.content import Condition
from simple_registry.storage.records import Received
from storage.filesystem.disks import FullDisk, RecordingDisk
from storage.support import blob_of, run
from support.streams import stream_of

DATA = b"data"
BLOB = blob_of(DATA)
NOTHING, RECEIVED = Received(), Received(BLOB.size, BLOB.digest)


@pytest.fixture
def threads():
    threads = Threads(4)
    yield threads
    threads.close()


@pytest.fixture
def disk():
    return Disk()


@pytest.fixture
def store(layout, disk, threads):
    return FilesystemUploadStore(layout, disk, threads)


async def upload(store, data=DATA, received=NOTHING, session="s"):
    return await store.extend(session, received, "sha256", stream_of(data))


async def publish(store, received=RECEIVED):
    await store.publish("s", received, BLOB.digest)


def test_a_publish_makes_bytes_and_a_free_name_durable(layout, threads):
    disk = RecordingDisk()
    store = FilesystemUploadStore(layout, disk, threads)
    directory = BLOB.digest.encoded[:2]
    run(upload(store))
    assert disk.taken() == ["open_write s", "write s", "fsync s", "fsync_directory uploads"]
    run(publish(store))
    assert disk.taken() == [
        "open_write s",
        "make_read_only s",
        f"make_directory {directory}",
        "fsync_directory sha256",
        "link s",
        "fsync s",
        f"fsync_directory {directory}",
    ]


def test_publishing_in_the_place_of_another_file_leaves_no_third_name(layout, threads):
    disk = RecordingDisk()
    store = FilesystemUploadStore(layout, disk, threads)

    async def scenario():
        for session in ("t", "s"):
            await upload(store, session=session)
            disk.taken()
            await store.publish(session, RECEIVED, BLOB.digest)

    run(scenario())
    assert disk.taken() == [
        "open_write s",
        "make_read_only s",
        "link s",
        "fsync s",
        "link s",
        "rename <temporary>",
        "unlink <temporary>",
        f"fsync_directory {BLOB.digest.encoded[:2]}",
    ]
    assert sorted(os.listdir(layout.uploads)) == ["s", "t"]
    assert Path(layout.blob(BLOB.digest)).samefile(layout.session("s"))


def test_a_publish_that_was_cut_off_is_finished_by_the_next(layout, threads):
    async def scenario():
        await upload(FilesystemUploadStore(layout, Disk(), threads))
        with pytest.raises(StorageFull):
            await publish(FilesystemUploadStore(layout, FullDisk("link"), threads))
        for _attempt in range(2):
            await publish(FilesystemUploadStore(layout, Disk(), threads))

    run(scenario())
    assert Path(layout.blob(BLOB.digest)).read_bytes() == DATA


def test_a_published_session_whose_row_was_not_written_is_continued_in_a_copy(layout, threads, store):
    """Its file is content, perhaps by the row of another push; neither its bytes nor its mode may change."""
    disk = RecordingDisk()
    content = Path(layout.blob(BLOB.digest))

    async def scenario():
        await upload(store)
        await publish(store)
        assert await store.extend("s", RECEIVED, "sha256", stream_of()) == RECEIVED
        later = FilesystemUploadStore(layout, disk, threads)
        assert await upload(later, b" and more", RECEIVED) == Received(13, digest_of(b"data and more"))

    run(scenario())
    assert disk.taken()[:5] == [
        *("create <temporary>", "write <temporary>", "fsync <temporary>", "rename <temporary>"),
        "fsync_directory uploads",
    ]
    assert content.read_bytes() == DATA
    assert content.stat().st_mode & 0o777 == 0o444
    assert Path(layout.session("s")).read_bytes() == b"data and more"
    assert os.listdir(layout.uploads) == ["s"]


@pytest.mark.parametrize("size", [0, 2])
def test_a_session_published_with_later_bytes_is_published_with_fewer(layout, threads, store, size):
    fewer, digest = Received(size, digest_of(DATA[:size])), digest_of(DATA[:size])

    async def scenario():
        await upload(store)
        await publish(store)
        assert await store.has("s", fewer)
        await FilesystemUploadStore(layout, Disk(), threads).publish("s", fewer, digest)

    run(scenario())
    assert Path(layout.blob(BLOB.digest)).read_bytes() == DATA
    assert Path(layout.blob(digest)).read_bytes() == DATA[:size]


@pytest.mark.parametrize("failing", ["create", "write", "fsync", "rename"])
def test_a_full_disk_leaves_a_published_session_and_no_copy(layout, threads, store, failing):
    async def scenario():
        await upload(store)
        await publish(store)
        with pytest.raises(StorageFull):
            await upload(FilesystemUploadStore(layout, FullDisk(failing), threads), b" and more", RECEIVED)
        assert os.listdir(layout.uploads) == ["s"]
        assert (await upload(store, b" and more", RECEIVED)).digest == digest_of(b"data and more")

    run(scenario())
    assert Path(layout.blob(BLOB.digest)).read_bytes() == DATA


@pytest.mark.parametrize("failing", ["make_directory", "make_read_only", "link", "fsync"])
def test_a_full_disk_keeps_the_session(layout, threads, store, failing):
    async def scenario():
        await upload(store)
        with pytest.raises(StorageFull):
            await publish(FilesystemUploadStore(layout, FullDisk(failing), threads))
        assert (await upload(store, b" and more", RECEIVED)).digest == digest_of(b"data and more")

    run(scenario())
    assert Path(layout.blob(BLOB.digest)).exists() == (failing == "fsync")


@pytest.mark.parametrize("failing", ["open_write", "lock"])
def test_opening_that_fails_leaves_no_lock(layout, threads, store, monkeypatch, failing):
    def fail(*_arguments):
        raise StorageFull(failing, "no room")

    with monkeypatch.context() as patch:
        patch.setattr(Disk, failing, fail)
        with pytest.raises(StorageFull):
            run(upload(store))
    assert os.listdir(layout.uploads) == []
    assert run(upload(FilesystemUploadStore(layout, Disk(), threads))) == RECEIVED


def test_opening_that_is_cancelled_leaves_no_lock(layout, threads, store):
    async def scenario():
        for _ in range(20):
            task = asyncio.create_task(upload(store))
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert await upload(store) == RECEIVED

    before = len(os.listdir("/proc/self/fd"))
    run(scenario())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_manifest_that_is_being_written_is_not_abandoned(layout, store):
    """Its file is locked, as `FilesystemContentStore.put` does it, whatever its age may be."""
    disk = Disk()
    fd = disk.create(layout.session("put-1"))
    assert disk.try_lock(fd)
    before = len(os.listdir("/proc/self/fd"))
    assert run(store.abandoned(time.time() + 60)) == []
    assert len(os.listdir("/proc/self/fd")) == before
    disk.close(fd)
    assert run(store.abandoned(time.time() + 60)) == ["put-1"]


def test_a_look_at_the_lock_of_a_file_ends_no_upload(layout, store):
    """`fsck` and the collector lock a file for a moment, to see whether it is being written."""
    disk = Disk()
    fd = disk.create(layout.session("s"))
    assert disk.try_lock(fd)

    async def scenario():
        uploading = asyncio.ensure_future(upload(store))
        await asyncio.sleep(0.05)
        disk.close(fd)
        return await uploading

    assert run(scenario()) == RECEIVED


def test_bytes_of_a_crashed_put_are_abandoned(layout, store):
    left = Path(layout.uploads) / "put-6f1c"
    left.write_bytes(b"half")
    os.utime(left, (1, 1))
    (Path(layout.uploads) / "not a session").write_bytes(b"")
    assert run(store.abandoned(time.time() - 60)) == ["put-6f1c"]
    run(store.discard("put-6f1c", NOTHING))
    assert not left.exists()


def test_the_condition_of_the_disk_is_reported(store, disk, monkeypatch):
    assert store.condition() == Condition.WRITABLE
    store.require_room()
    monkeypatch.setattr(disk, "room", lambda _path: MIN_ROOM - 1)
    assert store.condition() == Condition.FULL
    with pytest.raises(StorageFull):
        store.require_room()
    monkeypatch.undo()

    def refuse(path):
        raise StorageReadOnly("touch", path)

    monkeypatch.setattr(disk, "touch", refuse)
    assert store.condition() == Condition.READ_ONLY
