"""The trees as they are, and moving things aside without ever losing what a push put there meanwhile."""

from pathlib import Path

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.inspection import FilesystemInspection
from simple_registry.storage.filesystem.threads import Threads

GOOD, BAD = b"good", b"bad!"
DIGEST = digest_of(GOOD)


class RacingDisk(Disk):
    """Puts good bytes in the place of bad ones in the moment before they are moved."""

    def __init__(self):
        self.calls = []

    def rename(self, source, target):
        self.calls.append(target)
        Path(source).unlink()
        Path(source).write_bytes(GOOD)
        super().rename(source, target)


def inspection(layout, disk):
    return FilesystemInspection(layout, disk, Threads(1))


@pytest.fixture
def path(layout):
    path = Path(layout.blob(DIGEST))
    path.parent.mkdir()
    path.write_bytes(BAD)
    return path


def test_good_bytes_that_came_in_the_last_moment_are_put_back(layout, path):
    disk = RacingDisk()
    files = inspection(layout, disk)
    keep = path.with_suffix(".keep")  # so that the new file cannot get the number of the old one
    keep.hardlink_to(path)
    seen = files.look(files.place(DIGEST))
    assert files.set_aside(files.place(DIGEST), seen, str(DIGEST)) is None
    assert len(disk.calls) == 1
    assert path.read_bytes() == GOOD
    assert list(Path(layout.quarantine).iterdir()) == []


def test_a_move_is_durable_in_both_directories(layout, path):
    synced = []

    class Watched(Disk):
        def fsync_directory(self, path):
            synced.append(path)

    files = inspection(layout, Watched())
    assert files.set_aside(files.place(DIGEST), files.look(files.place(DIGEST)), "x")
    assert synced == [layout.root, layout.quarantine, str(path.parent)]


def test_odd_names_are_kept_as_far_as_they_can_stand_in_a_path(layout):
    (Path(layout.uploads) / "a b").write_bytes(b"")
    files = inspection(layout, Disk())
    (place,) = files.strays()
    assert files.set_aside(place, files.look(place), "../a b" + "x" * 300) == f"quarantine/.._a_b{'x' * 194}.1"


def test_a_tree_of_something_else_is_told_of_once(layout):
    directory = Path(layout.blobs) / "sha256"
    directory.rmdir()
    directory.write_bytes(b"")
    files = inspection(layout, Disk())
    assert list(files.strays()) == ["blobs/sha256"]
    assert files.contents("sha256:ab") == []


def test_a_missing_tree_of_content_is_a_fault_and_one_of_uploads_is_a_backup(layout):
    files = inspection(layout, Disk())
    Path(layout.uploads).rmdir()
    files.check()
    assert (files.sessions(), list(files.strays())) == ([], [])
    Path(layout.blobs).rename(f"{layout.root}/elsewhere")
    with pytest.raises(StorageFault, match="is gone"):
        files.check()


def test_looking_at_who_writes_to_a_session_takes_no_file_away(layout):
    files = inspection(layout, Disk())
    assert not files.busy("absent")
    assert files.sessions() == []
