"""The claim of a data directory, and the messages of refusals, which leave the directory unchanged."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from simple_registry.faults import DataDirectoryRefused, StorageReadOnly
from simple_registry.storage.filesystem.data_directory import FORMAT, DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from storage.filesystem.disks import FullDisk, WatchedDisk


def refused(path, disk=None):
    """Return the message of the refusal, and require that it is one line."""
    with pytest.raises(DataDirectoryRefused) as caught:
        DataDirectory.claim(path, disk)
    text = str(caught.value)
    assert str(path) in text
    assert "\n" not in text
    return text


def contents(path):
    return {entry: entry.is_file() and entry.read_bytes() for entry in path.rglob("*")}


@pytest.mark.parametrize("exists", [False, True])
def test_a_new_directory_gets_its_tree(tmp_path, exists):
    path = tmp_path / "some" / "data"
    if exists:
        path.mkdir(parents=True)
        (path / "lost+found").mkdir()
    directory = DataDirectory.claim(path)
    assert (path / "format").read_text() == f"simple-registry data directory, format {FORMAT}\n"
    assert (path / "server.lock").read_text() == f"{os.getpid()}\n"
    assert [(path / name).is_dir() for name in ("blobs/sha256", "blobs/sha512", "uploads")] == [True] * 3
    assert exists or stat.S_IMODE(path.stat().st_mode) == 0o700
    assert directory.layout.root == str(path)
    directory.release()


def test_a_directory_can_be_claimed_again_once_released(tmp_path):
    for _ in range(2):
        DataDirectory.claim(tmp_path / "data").release()


def test_an_interrupted_claim_is_completed_by_the_next(tmp_path):
    assert "No space left" in refused(tmp_path / "data", FullDisk("rename"))
    assert "No space left" in refused(tmp_path / "data", FullDisk("make_directory"))
    DataDirectory.claim(tmp_path / "data").release()


def test_a_directory_with_other_files_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"beach")
    before = contents(tmp_path)
    assert "holds other files ('holiday.jpg'); choose an empty directory" in refused(tmp_path)
    assert contents(tmp_path) == before


def test_a_newer_format_is_refused(tmp_path):
    DataDirectory.claim(tmp_path / "data").release()
    (tmp_path / "data" / "format").write_text(f"simple-registry data directory, format {FORMAT + 1}\n")
    before = contents(tmp_path)
    assert "a newer version wrote it" in refused(tmp_path / "data")
    assert contents(tmp_path) == before


@pytest.mark.parametrize("marker", [b"", b"format 1", b"simple-registry data directory, format x", b"\xff"])
def test_a_foreign_marker_is_refused(tmp_path, marker):
    (tmp_path / "format").write_bytes(marker)
    assert "format file" in refused(tmp_path)


def test_a_file_in_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    assert "not a directory" in refused(tmp_path / "file")
    assert "cannot be created" in refused(tmp_path / "file" / "data")


def test_a_directory_without_write_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_arguments: False)  # root may write anywhere
    assert "not writable" in refused(tmp_path)
    assert contents(tmp_path) == {}


def test_a_directory_in_use_is_refused_and_the_user_is_named(tmp_path):
    directory = DataDirectory.claim(tmp_path / "data")
    assert f"process id {os.getpid()}, or a worker of it, uses it" in refused(tmp_path / "data")
    directory.release()


def test_a_complete_directory_is_claimed_on_a_full_disk(tmp_path):
    DataDirectory.claim(tmp_path / "data").release()
    (tmp_path / "data" / "server.lock").write_text("123456789\n")
    for failing in ("write", "truncate"):
        DataDirectory.claim(tmp_path / "data", FullDisk(failing)).release()
    DataDirectory.claim(tmp_path / "data").release()
    assert (tmp_path / "data" / "server.lock").read_text() == f"{os.getpid()}\n"


def test_a_claim_lives_until_the_last_worker_ends(tmp_path):
    program = """
import os, sys
from simple_registry.storage.filesystem.data_directory import DataDirectory
DataDirectory.claim(sys.argv[1])
if os.fork():
    os._exit(0)
print(os.getpid(), flush=True)
sys.stdin.read()
"""
    path = str(tmp_path / "data")
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        worker = int(parent.stdout.readline())
        parent.wait()
        assert f"process id {parent.pid}" in refused(path)
        assert worker != parent.pid
        parent.stdin.close()
        parent.stdout.read()  # ends when the worker does
    DataDirectory.claim(path).release()


class ReadOnlyDisk(WatchedDisk):
    """Refuses every change."""

    def watch(self, name, arguments):
        raise StorageReadOnly(name, "read-only")

    def touch(self, path):
        raise StorageReadOnly("touch", path)


def test_a_complete_directory_on_a_read_only_disk_is_claimed_and_left_as_it_is(tmp_path):
    DataDirectory.claim(tmp_path / "data").release()
    before = contents(tmp_path)
    directory = DataDirectory.claim(tmp_path / "data", ReadOnlyDisk())
    assert directory.read_only
    assert "uses it" in refused(tmp_path / "data")
    assert "uses it" in refused(tmp_path / "data", ReadOnlyDisk())
    directory.release()
    assert contents(tmp_path) == before
    (tmp_path / "data" / "server.lock").unlink()  # a backup has none
    DataDirectory.claim(tmp_path / "data", ReadOnlyDisk()).release()


def test_a_new_directory_on_a_read_only_disk_is_refused(tmp_path):
    assert "no server has used it" in refused(tmp_path, ReadOnlyDisk())


@pytest.mark.parametrize("trace", ["blobs/sha256/aa/file", "blobs/sha512/00/file", "signing-keys.json"])
def test_stored_content_and_keys_are_traces_of_use(tmp_path, trace):
    directory = DataDirectory.claim(tmp_path)
    (tmp_path / "blobs/sha256/bb").mkdir()
    assert directory.traces() is None
    path = tmp_path / trace
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert directory.traces() in {"content in blobs/", "signing-keys.json"}
    directory.release()


def test_missing_content_directories_are_not_replaced_by_empty_ones(tmp_path):
    DataDirectory.claim(tmp_path / "data").release()
    shutil.rmtree(tmp_path / "data" / "blobs")
    (tmp_path / "data" / "registry.db").touch()
    DataDirectory.claim(tmp_path / "data").release()  # a first start that was cut off
    shutil.rmtree(tmp_path / "data" / "blobs")
    (tmp_path / "data" / "registry.db").write_bytes(b"rows")
    assert "blobs: it is missing" in refused(tmp_path / "data")
    assert not (tmp_path / "data" / "blobs").exists()
    (tmp_path / "data" / "blobs").mkdir()
    assert "blobs: it is empty" in refused(tmp_path / "data")
    assert list((tmp_path / "data" / "blobs").iterdir()) == []
    (tmp_path / "data" / "blobs" / "sha256").mkdir()
    DataDirectory.claim(tmp_path / "data").release()  # what a restore may leave of a store without content


def test_only_one_of_two_servers_that_start_together_claims_the_directory(tmp_path):
    """The second sees an empty directory, and then that the first has it."""

    class RacingDisk(Disk):
        def open_write(self, path):
            if path.endswith("server.lock"):
                claims.append(DataDirectory.claim(Path(path).parent))
            return super().open_write(path)

    claims = []
    assert "uses it" in refused(tmp_path / "data", RacingDisk())
    claims[0].release()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("used", [False, True])
def test_root_refuses_a_directory_that_another_user_may_change(tmp_path, used):
    path = tmp_path / "data"
    path.mkdir()
    if used:
        DataDirectory.claim(path).release()
    before = contents(path)
    os.chown(path, 12345, 0)
    assert "belongs to the user with id 12345" in refused(path)
    assert "chown" in refused(path)
    os.chown(path, 0, 0)
    for mode in (0o770, 0o707, 0o1777):
        path.chmod(mode)
        assert "chmod go-w" in refused(path)
        if used:
            with pytest.raises(DataDirectoryRefused, match="chmod go-w"):
                DataDirectory.find(path)
    assert contents(path) == before
    path.chmod(0o755)
    DataDirectory.claim(path).release()
    assert DataDirectory.find(path).root == str(path)
