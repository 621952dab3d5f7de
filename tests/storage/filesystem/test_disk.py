"""System calls and the names of their failures."""

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly
from simple_registry.storage.filesystem.disk import Disk, fault_of
from storage.filesystem.disks import WatchedDisk

DISK = Disk()


def test_written_bytes_can_be_read(tmp_path):
    fd = DISK.create(f"{tmp_path}/x")
    DISK.write(fd, b"hello", 0)
    DISK.write(fd, b"p!", 3)
    DISK.fsync(fd)
    assert DISK.read(fd, 99, 1) == b"elp!"
    DISK.truncate(fd, 2)
    assert DISK.stat_open(fd).st_size == 2
    DISK.make_read_only(fd)
    assert stat.S_IMODE(DISK.stat_open(fd).st_mode) == 0o444
    DISK.close(fd)
    DISK.rename(f"{tmp_path}/x", f"{tmp_path}/y")
    DISK.fsync_directory(str(tmp_path))
    assert DISK.names(str(tmp_path)) == ["y"]


def test_a_short_write_is_continued(tmp_path, monkeypatch):
    write = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, at: write(fd, bytes(data)[:3], at))
    fd = DISK.create(f"{tmp_path}/x")
    DISK.write(fd, b"abcdefgh", 1)
    DISK.close(fd)
    assert (tmp_path / "x").read_bytes() == b"\0abcdefgh"


def test_absence_is_an_answer(tmp_path):
    path = f"{tmp_path}/x"
    assert DISK.open_read(path) is None
    assert DISK.stat(path) is None
    assert DISK.stat(f"{path}/y") is None
    assert not DISK.unlink(path)


def test_a_directory_is_made_once(tmp_path):
    assert DISK.make_directory(f"{tmp_path}/x")
    assert not DISK.make_directory(f"{tmp_path}/x")
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o700


def test_new_files_are_private_and_links_are_not_followed(tmp_path):
    fd = DISK.open_write(f"{tmp_path}/x")
    assert stat.S_IMODE(DISK.stat_open(fd).st_mode) == 0o600
    DISK.close(fd)
    (tmp_path / "link").symlink_to(tmp_path / "x")
    for opening in (DISK.open_read, DISK.open_write):
        with pytest.raises(StorageFault):
            opening(f"{tmp_path}/link")


def test_a_lock_has_one_holder(tmp_path):
    first, second = (DISK.open_write(f"{tmp_path}/x") for _ in range(2))
    assert DISK.try_lock(first)
    assert not DISK.try_lock(second)
    DISK.close(first)
    assert DISK.try_lock(second)
    DISK.close(second)


@pytest.mark.parametrize("lock", ["lock", "try_lock"])
def test_a_lock_that_fails_is_a_fault(tmp_path, monkeypatch, lock):
    def refuse(*_arguments):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    fd = DISK.open_write(f"{tmp_path}/x")
    with pytest.raises(StorageFault, match="cannot lock a file: "):
        getattr(DISK, lock)(fd)
    DISK.close(fd)


def test_a_file_that_was_made_read_only_can_be_opened_for_writing_again(tmp_path, monkeypatch):
    path = tmp_path / "x"
    path.write_bytes(b"")
    path.chmod(0o444)
    opening = os.open

    def refusing(name, *rest):  # as the kernel does for everyone but root
        if not Path(name).stat().st_mode & stat.S_IWUSR:
            raise PermissionError(errno.EACCES, "refused")
        return opening(name, *rest)

    monkeypatch.setattr(os, "open", refusing)
    DISK.close(DISK.open_write(str(path)))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_has_its_own_fault(tmp_path, monkeypatch, number):
    def full(*_arguments):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", full)
    fd = DISK.create(f"{tmp_path}/x")
    with pytest.raises(StorageFull, match="cannot write to a file: "):
        DISK.write(fd, b"x", 0)
    DISK.close(fd)


def test_other_failures_are_faults_that_name_the_action(tmp_path):
    with pytest.raises(StorageFault, match="cannot rename a file: ") as caught:
        DISK.rename(f"{tmp_path}/x", f"{tmp_path}/y")
    assert not isinstance(caught.value, StorageFull)
    with pytest.raises(StorageFault, match="cannot create a file: "):
        DISK.create(f"{tmp_path}/none/x")


def test_room_is_the_space_left_for_this_user(tmp_path, monkeypatch):
    assert DISK.room(str(tmp_path)) > 0
    found = os.statvfs_result((4096, 512, 100, 50, 40, 9, 9, 9, os.ST_RDONLY, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: found)
    with pytest.raises(StorageReadOnly):
        DISK.room(str(tmp_path))


def test_touching_writes_the_time(tmp_path):
    os.utime(tmp_path, (1, 1))
    DISK.touch(str(tmp_path))
    assert tmp_path.stat().st_mtime > 1


@pytest.mark.parametrize(
    ("number", "fault"),
    [
        (errno.EROFS, StorageReadOnly),
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, StorageFault),
    ],
)
def test_errors_have_their_faults(number, fault):
    assert fault_of(OSError(number, os.strerror(number))) is fault


def test_a_file_is_replaced_as_a_whole_and_readable_by_its_owner_only(tmp_path):
    path, new = tmp_path / "file", tmp_path / "file.new"
    path.write_bytes(b"old")
    new.write_bytes(b"left by a crash")
    new.chmod(0o644)
    Disk().replace(str(path), b"content")
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode), new.exists()) == (b"content", 0o600, False)


def test_a_replacement_that_fails_leaves_the_old_file(tmp_path):
    class Full(Disk):
        def fsync(self, fd):
            raise StorageFull("make a file durable", "no room")

    path = tmp_path / "file"
    path.write_bytes(b"old")
    with pytest.raises(StorageFull):
        Full().replace(str(path), b"content")
    assert path.read_bytes() == b"old"


def test_the_bytes_are_durable_before_the_name_and_the_name_on_return(tmp_path):
    done = []

    class Watched(WatchedDisk):
        def watch(self, name, arguments):
            done.append(name)

    Watched().replace(str(tmp_path / "file"), b"content")
    assert done == ["unlink", "create", "write", "fsync", "rename", "fsync_directory"]
