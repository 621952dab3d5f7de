"""The order in which content gets its name, and its bytes and the name become durable."""

import os
import stat
from pathlib import Path

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.content_store import FilesystemContentStore
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.placement import Placement
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.records import ContentRecord
from storage.filesystem.disks import RecordingDisk
from storage.support import blob_of, run

DATA = b"data"
BLOB = blob_of(DATA)


@pytest.fixture
def disk():
    return RecordingDisk()


def name(layout, disk, placement, data=DATA, digest=BLOB.digest):
    path = layout.session("new")
    Path(path).unlink(missing_ok=True)
    Path(path).write_bytes(data)
    fd = disk.open_read(path)
    placement.link(fd, path, digest)
    disk.close(fd)


def present(layout, blob=BLOB):
    threads = Threads(1)
    try:
        return run(FilesystemContentStore(layout, Disk(), threads).has(blob))
    finally:
        threads.close()


def test_bytes_and_name_are_durable_before_we_return(layout, disk):
    name(layout, disk, Placement(layout, disk))
    directory = BLOB.digest.encoded[:2]
    made = [f"make_directory {directory}", "fsync_directory sha256"]
    assert disk.taken() == ["make_read_only new", *made, "link new", "fsync new", f"fsync_directory {directory}"]


def test_an_existing_file_is_replaced_by_durable_bytes_only(layout, disk):
    placement = Placement(layout, disk)
    name(layout, disk, placement, b"damaged")
    disk.taken()
    name(layout, disk, placement)
    assert disk.taken() == [
        *("make_read_only new", "link new", "fsync new", "link new", "rename <temporary>", "unlink <temporary>"),
        f"fsync_directory {BLOB.digest.encoded[:2]}",
    ]


def test_a_directory_made_by_another_process_is_synced_too(layout, disk):
    name(layout, disk, Placement(layout, disk))
    disk.taken()
    name(layout, disk, Placement(layout, disk))
    assert "fsync_directory sha256" in disk.taken()


def test_named_content_is_read_only(layout, disk):
    name(layout, disk, Placement(layout, disk))
    assert stat.S_IMODE(os.stat(layout.blob(BLOB.digest)).st_mode) == 0o444


def test_a_directory_with_the_name_of_content_is_moved(layout, disk):
    placement = Placement(layout, disk)
    name(layout, disk, placement)
    path = Path(layout.blob(BLOB.digest))
    path.unlink()
    (path / "holiday").mkdir(parents=True)
    assert not present(layout)
    name(layout, disk, placement)
    assert path.read_bytes() == DATA
    assert Path(f"{path}.displaced", "holiday").is_dir()


def test_unreadable_content_is_not_present(layout, disk):
    placement = Placement(layout, disk)
    name(layout, disk, placement)
    Path(layout.blob(BLOB.digest)).chmod(0)
    assert not present(layout)
    name(layout, disk, placement)
    assert present(layout)


def test_only_a_file_of_the_right_size_is_present(layout, disk):
    placement = Placement(layout, disk)
    assert not present(layout)
    name(layout, disk, placement)
    assert present(layout)
    assert not present(layout, ContentRecord(BLOB.digest, 5))
    other = digest_of(b"other")
    os.makedirs(layout.blob(other))
    assert not present(layout, ContentRecord(other, os.stat(layout.blob(other)).st_size))


def test_the_file_keeps_its_own_name(layout, disk):
    name(layout, disk, Placement(layout, disk))
    path, session = Path(layout.blob(BLOB.digest)), Path(layout.session("new"))
    assert path.read_bytes() == session.read_bytes() == DATA
    assert path.samefile(session)


@pytest.mark.parametrize("before", ["other", "same"])
def test_a_link_replaces_what_has_the_name(layout, disk, before):
    placement = Placement(layout, disk)
    name(layout, disk, placement, b"damaged" if before == "other" else DATA)
    session = Path(layout.session("new"))
    if before == "other":
        session.unlink()
        session.write_bytes(DATA)
    fd = disk.open_read(str(session))
    placement.link(fd, str(session), BLOB.digest)
    disk.close(fd)
    path = Path(layout.blob(BLOB.digest))
    assert path.read_bytes() == DATA
    assert path.samefile(session)
    assert os.listdir(layout.uploads) == ["new"]


def test_without_links_the_file_is_moved(layout, disk, monkeypatch):
    monkeypatch.setattr(Disk, "link", lambda *_: False)
    name(layout, disk, Placement(layout, disk))
    assert present(layout)
    assert os.listdir(layout.uploads) == []


def test_a_directory_that_was_removed_is_made_again(layout, disk):
    placement = Placement(layout, disk)
    name(layout, disk, placement)
    path = Path(layout.blob(BLOB.digest))
    path.unlink()
    path.parent.rmdir()
    disk.taken()
    name(layout, disk, placement)
    assert present(layout)
    directory = BLOB.digest.encoded[:2]
    again = [f"make_directory {directory}", "fsync_directory sha256"]
    assert [call for call in disk.taken() if "directory" in call] == [*again, f"fsync_directory {directory}"]
