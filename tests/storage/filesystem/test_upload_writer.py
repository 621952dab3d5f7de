"""Writing a session's file: what is read again, what is not, and that no thread outlives its writer."""

import asyncio
import os
import threading

import pytest

from simple_registry.content import ContentInterrupted
from simple_registry.faults import StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.filesystem.upload_writer import BATCH_BYTES, BATCH_CHUNKS, hash_file
from simple_registry.storage.records import Received
from storage.filesystem.disks import FullDisk
from storage.support import run
from support.streams import stream_of

NOTHING = Received()


def value(data):
    return Received(len(data), digest_of(data))


class ReadCountingDisk(Disk):
    def __init__(self):
        self.read_bytes = 0
        self.writes = []
        self.open = set()

    def read(self, fd, size, at):
        data = super().read(fd, size, at)
        self.read_bytes += len(data)
        return data

    def write(self, fd, data, at):
        assert fd in self.open
        self.writes.append(len(data))
        super().write(fd, data, at)

    def open_write(self, path):
        fd = super().open_write(path)
        self.open.add(fd)
        return fd

    def close(self, fd):
        self.open.discard(fd)
        super().close(fd)


@pytest.fixture
def threads():
    threads = Threads(4)
    yield threads
    threads.close()


async def append(store, data, received=NOTHING):
    return await store.extend("s", received, "sha256", stream_of(data))


def test_the_next_request_in_this_process_reads_nothing_again(layout, threads):
    disk = ReadCountingDisk()
    store = FilesystemUploadStore(layout, disk, threads)

    async def scenario():
        one = await append(store, b"one ")
        assert await append(store, b"two", one) == value(b"one two")

    run(scenario())
    assert disk.read_bytes == 0


def test_another_process_reads_the_received_bytes(layout, threads):
    disk = ReadCountingDisk()

    async def scenario():
        one = await append(FilesystemUploadStore(layout, disk, threads), b"one ")
        assert await append(FilesystemUploadStore(layout, disk, threads), b"two", one) == value(b"one two")

    run(scenario())
    assert disk.read_bytes == 4


def test_bytes_replaced_by_another_process_are_hashed_again(layout, threads):
    here, there = (FilesystemUploadStore(layout, Disk(), threads) for _ in range(2))

    async def scenario():
        await append(here, b"one ")
        await asyncio.sleep(0.02)  # the times of files have a grain
        two = await append(there, b"two ")
        assert await append(here, b"three", two) == value(b"two three")

    run(scenario())


def test_an_empty_chunk_reads_nothing(layout, threads):
    disk = ReadCountingDisk()

    async def scenario():
        data = await append(FilesystemUploadStore(layout, disk, threads), b"data")
        assert await append(FilesystemUploadStore(layout, disk, threads), b"", data) == data

    run(scenario())
    assert disk.read_bytes == 0


def test_undoing_an_append_reads_nothing_again(layout, threads):
    disk = ReadCountingDisk()
    store = FilesystemUploadStore(layout, disk, threads)

    async def broken():
        yield b"dropped"
        raise ContentInterrupted(7, None)

    async def scenario():
        kept = await append(store, b"kept ")
        with pytest.raises(ContentInterrupted):
            await store.extend("s", kept, "sha256", broken())
        assert os.stat(layout.session("s")).st_size == kept.size
        assert await append(store, b"more", kept) == value(b"kept more")

    run(scenario())
    assert disk.read_bytes == 0


def test_small_chunks_are_written_in_batches(layout, threads):
    disk = ReadCountingDisk()
    data = b"x" * (BATCH_CHUNKS * 3)
    run(append_chunks(FilesystemUploadStore(layout, disk, threads), [bytes([byte]) for byte in data]))
    assert disk.writes == [BATCH_CHUNKS] * 3
    disk.writes.clear()
    run(append_chunks(FilesystemUploadStore(layout, disk, threads), [b"y" * (BATCH_BYTES // 2)] * 5))
    assert disk.writes == [BATCH_BYTES, BATCH_BYTES, BATCH_BYTES // 2]


async def append_chunks(store, chunks):
    assert await store.extend("s", NOTHING, "sha256", stream_of(*chunks)) == value(b"".join(chunks))


def test_a_slow_disk_holds_the_stream_back(layout, threads):
    """However fast bytes come, at most two batches wait."""
    go_on = threading.Event()
    taken = []

    class SlowDisk(Disk):
        def write(self, fd, data, at):
            go_on.wait()
            super().write(fd, data, at)

    async def flood():
        for number in range(8):
            taken.append(number)
            yield b"z" * BATCH_BYTES

    async def scenario():
        store = FilesystemUploadStore(layout, SlowDisk(), threads)
        appending = asyncio.create_task(store.extend("s", NOTHING, "sha256", flood()))
        await asyncio.sleep(0.05)
        assert len(taken) == 2
        go_on.set()
        assert (await appending).size == 8 * BATCH_BYTES

    run(scenario())


def test_a_cancelled_append_writes_to_no_closed_file(layout, threads):
    disk = ReadCountingDisk()
    store = FilesystemUploadStore(layout, disk, threads)
    errors = []

    async def endless():
        while True:
            yield b"x" * BATCH_BYTES
            await asyncio.sleep(0)

    async def append_forever():
        try:
            await store.extend("s", NOTHING, "sha256", endless())
        except BaseException as error:
            errors.append(type(error))
            raise

    async def scenario():
        for _ in range(20):
            task = asyncio.create_task(append_forever())
            await asyncio.sleep(0.003)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert disk.open == set()

    run(scenario())
    assert set(errors) <= {asyncio.CancelledError}


def test_a_full_disk_is_reported_and_the_session_can_continue(layout, threads):
    async def scenario():
        store = FilesystemUploadStore(layout, Disk(), threads)
        kept = await append(store, b"kept ")
        with pytest.raises(StorageFull):
            await append(FilesystemUploadStore(layout, FullDisk("write"), threads), b"lost", kept)
        assert await append(store, b"more", kept) == value(b"kept more")

    run(scenario())


def test_bytes_that_are_not_durable_are_not_acknowledged(layout, threads):
    for failing in ("fsync", "fsync_directory"):
        with pytest.raises(StorageFull):
            run(append(FilesystemUploadStore(layout, FullDisk(failing), threads), b"data"))
        assert os.listdir(layout.uploads) == []


@pytest.mark.parametrize("failing", ["stat_open", "close"])
def test_a_disk_that_fails_after_the_bytes_are_durable_undoes_nothing(layout, threads, failing, monkeypatch):
    disk = Disk()
    real, synced = getattr(disk, failing), disk.fsync

    def fail(fd):
        if failing == "close":
            real(fd)  # closed nevertheless, as the kernel does it
        raise StorageFault(failing, "the disk does not answer")

    def sync(fd):
        synced(fd)
        monkeypatch.setattr(disk, failing, fail)

    monkeypatch.setattr(disk, "fsync", sync)
    assert run(append(FilesystemUploadStore(layout, disk, threads), b"data")) == value(b"data")


def test_a_disk_that_fails_when_bytes_are_given_back_changes_nothing(layout, threads):
    class Failing(Disk):
        def write(self, fd, data, at):
            super().write(fd, data[:2], at)
            raise StorageFull("write", "no room")

        def truncate(self, fd, size):
            raise StorageFault("truncate", "the disk does not answer")

    async def scenario():
        store = FilesystemUploadStore(layout, Disk(), threads)
        kept = await append(store, b"kept ")
        with pytest.raises(StorageFull):
            await append(FilesystemUploadStore(layout, Failing(), threads), b"lost", kept)
        assert await append(store, b"more", kept) == value(b"kept more")

    run(scenario())


def test_a_file_that_ends_early_is_a_fault(tmp_path):
    disk = Disk()
    fd = disk.create(f"{tmp_path}/x")
    disk.write(fd, b"data", 0)
    assert hash_file(disk, fd, 3, "sha256").hexdigest() == digest_of(b"dat").encoded
    with pytest.raises(StorageFault, match="ends after 4 of 5 bytes"):
        hash_file(disk, fd, 5, "sha256")
    disk.close(fd)
