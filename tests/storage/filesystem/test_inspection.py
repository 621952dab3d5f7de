"""The trees as they are, and moves to the quarantine."""

import os
from pathlib import Path

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection, stored_file
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.inspection import Flaw
from storage.support import run

DIGEST = digest_of(b"good")


def inspection(layout, disk=None):
    return FilesystemInspection(layout, disk or Disk(), Threads(1))


@pytest.fixture
def path(layout):
    path = Path(layout.blob(DIGEST))
    path.parent.mkdir()
    path.write_bytes(b"bad!")
    return path


def test_modes_and_kinds_are_flaws(path):
    def flaw():
        return stored_file(DIGEST, os.lstat(path)).flaw

    path.chmod(0o444)
    assert flaw() is None
    path.chmod(0o644)
    assert flaw() is Flaw.WRITABLE
    path.chmod(0o200)
    assert flaw() is Flaw.UNREADABLE
    path.unlink()
    path.mkdir()
    assert flaw() is Flaw.NOT_A_FILE


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"xyz!"), lambda path: path.chmod(0o600)])
def test_a_change_is_another_version(path, change):
    os.utime(path, (1, 1))
    before = stored_file(DIGEST, os.lstat(path))
    change(path)
    assert stored_file(DIGEST, os.lstat(path)) != before


def test_a_move_is_durable_in_both_directories(layout, path):
    synced = []

    class Watched(Disk):
        def fsync_directory(self, path):
            synced.append(path)

    files = inspection(layout, Watched())
    assert run(files.set_aside(files.path(DIGEST), "x")) == "quarantine/x.1"
    assert synced == [layout.root, layout.quarantine, str(path.parent)]


def test_the_quarantine_keeps_everything(layout, path):
    files = inspection(layout)
    for number in (1, 2):
        path.write_bytes(str(number).encode())
        assert run(files.set_aside(files.path(DIGEST), str(DIGEST))) == f"quarantine/{DIGEST}.{number}"
    assert [kept.read_bytes() for kept in sorted(Path(layout.quarantine).iterdir())] == [b"1", b"2"]


def test_a_name_is_cleared_of_a_directory_only(layout, path):
    files = inspection(layout)
    assert run(files.clear_name(DIGEST)) is None
    assert path.read_bytes() == b"bad!"
    path.unlink()
    assert run(files.clear_name(DIGEST)) is None
    path.mkdir()
    assert run(files.clear_name(DIGEST)) == f"quarantine/{DIGEST}.1"
    assert not path.exists()


def test_a_mode_is_set(layout, path):
    run(inspection(layout).set_mode(DIGEST))
    assert stored_file(DIGEST, os.lstat(path)).flaw is None


def test_odd_names_are_kept_as_far_as_they_can_be_in_a_path(layout):
    (Path(layout.uploads) / "a b").write_bytes(b"")
    files = inspection(layout)
    ((stray, _changed),) = run(files.strays())
    assert run(files.set_aside(stray, "../a b" + "x" * 300)) == f"quarantine/.._a_b{'x' * 194}.1"


def test_a_tree_that_is_something_else_is_one_stray(layout):
    directory = Path(layout.blobs) / "sha256"
    directory.rmdir()
    directory.write_bytes(b"")
    files = inspection(layout)
    assert [path for path, _changed in run(files.strays())] == ["blobs/sha256"]
    assert run(files.listing("sha256:ab")) == []


def test_a_missing_tree_of_content_is_a_fault_and_one_of_uploads_is_a_backup(layout):
    files = inspection(layout)
    Path(layout.uploads).rmdir()
    files.check()
    assert run(files.strays()) == []
    Path(layout.blobs).rename(f"{layout.root}/elsewhere")
    with pytest.raises(StorageFault, match="is gone"):
        files.check()
    Path(layout.blobs).mkdir()  # an empty mount point
    with pytest.raises(StorageFault, match="empty"):
        files.check()
