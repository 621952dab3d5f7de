"""The file of signing keys: private, replaced as a whole, the same for every process."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageReadOnly
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.key_file import KeyFile
from storage.filesystem.disks import RecordingDisk


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "signing-keys.json")


@pytest.fixture
def file(path, clock):
    return KeyFile(path, clock)


def written(path):
    return json.loads(Path(path).read_text())["keys"]


def test_no_file_is_created_before_keys_are_needed(path, file):
    assert not Path(path).exists()
    file.prepare()
    assert Path(path).exists()


def test_a_missing_file_is_created_for_its_owner_only(path, file, clock):
    old = os.umask(0)
    try:
        (key,) = file.keys()
    finally:
        os.umask(old)
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    assert key.created == clock.now()
    assert len(key.secret) == 32
    assert file.current() == key
    assert file.find(key.kid) == key
    assert file.find("another") is None


def test_it_is_durable_before_it_has_its_name(path, clock):
    disk = RecordingDisk()
    KeyFile(path, clock, disk).prepare()
    name = "signing-keys.json"
    assert disk.taken() == [
        f"open_write {name}.lock",
        f"unlink {name}.new",
        f"create {name}.new",
        f"write {name}.new",
        f"fsync {name}.new",
        f"rename {name}.new",
        f"fsync_directory {Path(path).parent.name}",
    ]


def test_every_process_has_the_same_keys(path, file, clock):
    assert KeyFile(path, clock).keys() == file.keys()
    assert KeyFile(path, clock).current() == file.current()


def test_a_rotation_makes_a_key_that_signs_and_keeps_the_older_ones_for_a_while(file, clock):
    first = file.current()
    clock.time += 100
    second = file.rotate(clock.now(), keep=50)
    assert (file.current(), file.find(first.kid)) == (second, first)
    clock.time += 49
    third = file.rotate(clock.now(), keep=50)  # the first one signed until 49 seconds ago
    assert file.keys() == [first, second, third]
    clock.time += 50
    fourth = file.rotate(clock.now(), keep=50)
    assert file.keys() == [third, fourth]
    assert file.find(first.kid) is None


def test_the_last_key_is_kept_however_old_it_is(file, clock):
    first = file.current()
    clock.time += 1e9
    second = file.rotate(clock.now(), keep=50)
    assert file.keys() == [first, second]


def test_another_process_sees_a_rotation_within_a_second_or_with_the_first_token(path, file, clock):
    other = KeyFile(path, clock)
    old = other.current()
    new = file.rotate(clock.now(), keep=50)
    assert other.current() == old  # not looked at again yet
    assert other.find(new.kid) == new
    assert other.current() == new
    newest = file.rotate(clock.now(), keep=50)
    clock.time += 1
    assert other.current() == newest


def test_the_file_is_checked_once_a_second_and_read_when_it_changed(path, clock):
    class Counting(Disk):
        looks = reads = 0

        def stat(self, path):
            self.looks += 1
            return super().stat(path)

        def open_read(self, path):
            self.reads += 1
            return super().open_read(path)

    disk = Counting()
    file = KeyFile(path, clock, disk)
    file.keys()
    disk.looks = disk.reads = 0
    for _ in range(100):
        file.current()
    assert (disk.looks, disk.reads) == (0, 0)
    clock.time += 1
    for _ in range(100):
        file.current()
    assert (disk.looks, disk.reads) == (1, 0)


def test_removing_the_file_ends_every_key(path, file, clock):
    old = file.current()
    Path(path).unlink()
    clock.time += 1
    assert file.current() != old
    assert file.find(old.kid) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_may_read_is_refused_and_stays(path, file, mode, clock):
    file.prepare()
    before = Path(path).read_bytes()
    Path(path).chmod(mode)
    with pytest.raises(DataDirectoryRefused, match="other users than its owner"):
        KeyFile(path, clock).keys()
    assert Path(path).read_bytes() == before


BROKEN = [
    b"",
    b"{}",
    b'{"keys": []}',
    b'{"keys": [{"kid": "a", "created": 1, "secret": "c2VjcmV0"}]}',
    b'{"keys": [{"kid": "a", "created": 1, "secret": "SECRET!"}]}',
    b'{"keys": [{"kid": "a", "created": "x", "secret": "c2VjcmV0"}]}',
    b"SECRET \xff",
]


@pytest.mark.parametrize("data", BROKEN)
def test_a_file_without_keys_is_refused_without_showing_it(path, clock, data):
    Path(path).touch(0o600)
    Path(path).write_bytes(data)
    with pytest.raises(DataDirectoryRefused, match="remove it") as caught:
        KeyFile(path, clock).keys()
    assert "SECRET" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert Path(path).read_bytes() == data


def test_a_symbolic_link_is_refused(path, tmp_path, file, clock):
    file.prepare()
    Path(path).rename(tmp_path / "elsewhere")
    Path(path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StorageFault):
        KeyFile(path, clock).keys()


@pytest.mark.parametrize("data", BROKEN)
def test_a_file_that_breaks_while_running_leaves_the_keys_in_use(path, file, clock, caplog, data):
    keys = file.keys()
    Path(path).write_bytes(data)
    clock.time += 1
    assert file.keys() == keys
    assert "cannot be read again" in caplog.text
    assert "SECRET" not in caplog.text
    for _ in range(9):
        assert file.find("unknown") is None
    assert len(caplog.records) == 1


def test_a_rotation_that_fails_leaves_the_keys_as_they_were(path, clock):
    class Full(Disk):
        full = False

        def fsync(self, fd):
            if self.full:
                raise StorageFault("make a file durable", "disk full")
            super().fsync(fd)

    disk = Full()
    file = KeyFile(path, clock, disk)
    keys, before = file.keys(), written(path)
    disk.full = True
    with pytest.raises(StorageFault):
        file.rotate(clock.now(), keep=50)
    assert (file.keys(), written(path)) == (keys, before)
    disk.full = False
    assert file.rotate(clock.now(), keep=50) == file.current()


def test_secrets_are_not_shown(file):
    key = file.current()
    assert repr(key.secret) not in repr(key)
    assert repr(key.secret) not in repr(file.keys())


PROGRAM = """
import sys
from simple_registry.clock import SystemClock
from simple_registry.storage.filesystem.key_file import KeyFile

file = KeyFile(sys.argv[1], SystemClock())
print("ready", flush=True)
sys.stdin.readline()
print(file.keys()[0].kid, *(file.rotate(SystemClock().now(), 3600).kid for _ in range(20)))
"""


def test_several_processes_make_one_file_and_lose_no_rotation(path, clock):
    processes = [
        subprocess.Popen([sys.executable, "-c", PROGRAM, path], stdin=-1, stdout=-1, text=True) for _ in range(3)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0].split() for process in processes]
    assert {process.returncode for process in processes} == {0}
    assert len({answer[0] for answer in answers}) == 1
    made = {kid for answer in answers for kid in answer[1:]}
    assert len(made) == 60
    assert {key["kid"] for key in written(path)} == made | {answers[0][0]}


def test_missing_keys_on_a_read_only_disk_are_refused(tmp_path, clock):
    class ReadOnlyDisk(Disk):
        def open_write(self, path):
            raise StorageReadOnly("open a file for writing", path)

    keys = KeyFile(str(tmp_path / "signing-keys.json"), clock, ReadOnlyDisk())
    with pytest.raises(DataDirectoryRefused, match=r"web\.tokenSecret"):
        keys.prepare()
