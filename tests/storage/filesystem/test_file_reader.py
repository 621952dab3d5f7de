"""Reading for a check: what is on the disk, leaving memory as it was."""

import errno
import os
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault
from simple_registry.files import FileStamp
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.file_reader import READ_BYTES, hash_file
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


def digest(disk, path, stamp=None):
    return hash_file(disk, path, stamp or FileStamp.of(os.lstat(path)), "sha256", lambda _size: None)


def test_a_file_of_several_reads_is_hashed_whole(path):
    assert digest(Disk(), path) == digest_of(DATA)


@pytest.mark.parametrize(("used", "steps"), [(True, ["drop", "read"]), (False, ["drop", "read", "drop"])])
def test_the_disk_is_read_and_memory_left_as_it_was(path, used, steps):
    disk = WatchedDisk(used=used)
    digest(disk, path)
    assert [step for step, before in zip(disk.steps, [None, *disk.steps], strict=False) if step != before] == steps


@pytest.mark.parametrize("code", [errno.EIO, errno.EACCES])
def test_a_file_that_cannot_be_read_is_a_fault_of_its_own(path, code):
    with pytest.raises(ContentUnreadable):
        digest(FailingDisk(code), path)


def test_a_failure_that_is_not_the_files_ends_the_check(path):
    with pytest.raises(StorageFault) as caught:
        digest(FailingDisk(errno.EMFILE), path)
    assert not isinstance(caught.value, ContentUnreadable)


def test_another_file_or_none_is_not_hashed(path, tmp_path):
    stamp = FileStamp.of(os.lstat(path))
    assert digest(Disk(), str(tmp_path / "absent"), stamp) is None
    Path(path).unlink()
    Path(path).write_bytes(DATA)
    os.utime(path, (1, 1))
    assert digest(Disk(), path, stamp) is None
