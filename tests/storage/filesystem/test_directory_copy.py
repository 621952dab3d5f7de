"""A copy of a data directory: complete once it has its format, and never with damaged content."""

import io
import stat

import pytest

from simple_registry.faults import DataDirectoryRefused, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.directory_copy import DirectoryCopy
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.records import ContentRecord
from storage.filesystem.disks import RecordingDisk

DATA = b"some content"
RECORD = ContentRecord(digest_of(DATA), len(DATA))


def reader(stored=DATA):
    return CheckedReader(RECORD, io.BytesIO(stored).read)


@pytest.fixture
def layout(tmp_path):
    return DataDirectory.make(tmp_path / "copy")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_copy_is_a_data_directory_once_it_is_finished(tmp_path, layout):
    copy = DirectoryCopy(layout, Disk())
    assert copy.write_content(RECORD, reader()) is None
    copy.write_file("admin.hash", b"hash")
    copy.write_file("documents/team/a.yaml", b"kind: User")
    with pytest.raises(DataDirectoryRefused, match="holds other files"):
        DataDirectory.claim(layout.root)
    copy.finish()
    DataDirectory.claim(layout.root).release()
    root = tmp_path / "copy"
    content = root / "blobs" / "sha256" / RECORD.digest.encoded[:2] / RECORD.digest.encoded
    assert content.read_bytes() == DATA
    assert (root / "documents/team/a.yaml").read_bytes() == b"kind: User"
    assert {mode(path) for path in root.rglob("*") if path.is_dir()} == {0o700}
    assert mode(content) == 0o444
    assert mode(root / "admin.hash") == mode(root / "format") == mode(root / "documents/team/a.yaml") == 0o600


def test_everything_is_durable_before_the_format(layout):
    class Syncing(RecordingDisk):
        def sync_file_system(self, path):
            self.calls.append("sync everything")

    disk = Syncing()
    copy = DirectoryCopy(layout, disk)
    copy.write_content(RECORD, reader())
    copy.finish()
    after = disk.calls[disk.calls.index("sync everything") :]
    assert after == [
        "sync everything",
        "unlink format.new",
        "create format.new",
        "write format.new",
        "fsync format.new",
        "rename format.new",
        "fsync_directory copy",
    ]


@pytest.mark.parametrize("stored", [b"", b"some", b"same content", DATA + b"!"])
def test_damaged_content_is_left_out(layout, stored):
    assert DirectoryCopy(layout, Disk()).write_content(RECORD, reader(stored)) is not None
    assert Disk().stat(layout.blob(RECORD.digest)) is None


def test_content_of_the_previous_copy_is_linked_if_it_has_its_size(tmp_path, layout):
    previous = DataDirectory.make(tmp_path / "previous")
    assert not DirectoryCopy(layout, Disk()).link_content(RECORD)
    copy = DirectoryCopy(layout, Disk(), previous)
    assert not copy.link_content(RECORD)
    DirectoryCopy(previous, Disk()).write_content(RECORD, reader())
    assert not copy.link_content(ContentRecord(RECORD.digest, RECORD.size + 1))
    assert copy.link_content(RECORD)
    kept, linked = (Disk().stat(each.blob(RECORD.digest)) for each in (previous, layout))
    assert (kept.st_ino, kept.st_mode) == (linked.st_ino, linked.st_mode)


def test_a_failed_sync_leaves_it_incomplete(layout, monkeypatch):
    def fail(self, path):
        raise StorageFull("make files durable", "no room")

    monkeypatch.setattr(Disk, "sync_file_system", fail)
    with pytest.raises(StorageFull):
        DirectoryCopy(layout, Disk()).finish()
    assert Disk().stat(layout.format) is None


def test_a_directory_in_use_is_never_filled(tmp_path):
    DataDirectory.claim(tmp_path / "data").release()
    before = sorted(path.name for path in (tmp_path / "data").iterdir())
    with pytest.raises(DataDirectoryRefused, match="choose an empty directory"):
        DataDirectory.make(tmp_path / "data")
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == before
