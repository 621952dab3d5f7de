"""Reading for a check: what is on the disk, leaving memory as it was."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import READ_BYTES, FileReader, look_of, same_file
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import ContentUnreadable

DATA = bytes(range(256)) * (READ_BYTES // 200)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(DATA)
    return str(path)


class FailingDisk(Disk):
    def __init__(self, code):
        self.code = code

    def read(self, fd, size, at):
        error = OSError(self.code, os.strerror(self.code))
        raise StorageFault("read a file", error) from error


class WatchedDisk(Disk):
    def __init__(self, *, used):
        self.used, self.steps = used, []

    def in_memory(self, fd):
        return self.used

    def drop_from_memory(self, fd):
        self.steps.append("drop")
        super().drop_from_memory(fd)

    def read(self, fd, size, at):
        self.steps.append("read")
        return super().read(fd, size, at)


def digest(disk, path):
    return asyncio.run(FileReader(disk, Threads(1)).digest(path, "sha256", lambda _: None))


def test_a_file_of_several_reads_is_hashed_whole(path):
    assert digest(Disk(), path).digest == digest_of(DATA)


@pytest.mark.parametrize(("used", "steps"), [(True, ["drop", "read"]), (False, ["drop", "read", "drop"])])
def test_the_disk_is_read_and_memory_left_as_it_was(path, used, steps):
    disk = WatchedDisk(used=used)
    digest(disk, path)
    assert [step for step, before in zip(disk.steps, [None, *disk.steps], strict=False) if step != before] == steps


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_read_is_told_apart(path, code):
    with pytest.raises(ContentUnreadable):
        digest(FailingDisk(code), path)
    assert asyncio.run(FileReader(FailingDisk(code), Threads(1)).read(path, 5)) is None


def test_a_failure_that_is_not_the_files_ends_the_check(path):
    with pytest.raises(StorageFault) as caught:
        digest(FailingDisk(errno.EMFILE), path)
    assert not isinstance(caught.value, ContentUnreadable)


def test_what_is_no_plain_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "", "absent"):
        assert digest(Disk(), str(tmp_path / name)) is None


def look(path):
    return look_of(os.lstat(path))


def test_modes_and_kinds_are_seen(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    path.chmod(0o444)
    assert (look(path).regular, look(path).readable, look(path).read_only, look(path).size) == (True, True, True, 3)
    path.chmod(0o644)
    assert not look(path).read_only
    path.chmod(0o200)
    assert not look(path).readable
    assert not look(tmp_path).regular


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"xyz"), lambda path: path.chmod(0o600)])
def test_a_change_shows(tmp_path, change):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, (1, 1))
    before = look(path)
    change(path)
    assert look(path) != before
    assert same_file(os.lstat(path), before)


def test_a_file_is_the_same_under_another_name(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"abc")
    other.write_bytes(b"abc")
    seen = look(path)
    path.rename(tmp_path / "new")
    assert same_file(os.lstat(tmp_path / "new"), seen)
    assert not same_file(os.lstat(other), seen)
    assert Path(other).exists()
