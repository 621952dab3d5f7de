"""The content of a data directory, opened to be copied."""

import errno
import os

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.content_source import ContentSource
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.inspection import ContentUnreadable
from simple_registry.storage.records import ContentRecord

DATA = b"some content"
RECORD = ContentRecord(digest_of(DATA), len(DATA))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "blobs" / "sha256" / RECORD.digest.encoded[:2] / RECORD.digest.encoded
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return path


def source(tmp_path, disk=None):
    sizes = []
    return ContentSource(Layout(tmp_path), disk or Disk(), sizes.append), sizes


def test_content_is_read_and_its_bytes_are_counted(tmp_path, file):
    reading, sizes = source(tmp_path)
    with reading.open(RECORD) as reader:
        assert (reader.read(5), reader.read(100), reader.read(1)) == (DATA[:5], DATA[5:], b"")
        assert reader.damage() is None
    assert sum(sizes) == len(DATA)


def test_missing_content_is_none(tmp_path):
    with source(tmp_path)[0].open(RECORD) as reader:
        assert reader is None


def test_something_else_in_its_place_is_unreadable(tmp_path, file):
    file.unlink()
    file.symlink_to("/etc/hostname")
    with pytest.raises(ContentUnreadable), source(tmp_path)[0].open(RECORD):
        pass


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_a_bad_sector_is_damage_and_any_other_failure_a_fault(tmp_path, file, number):
    class Failing(Disk):
        def read(self, _fd, _size, _at):
            cause = OSError(number, os.strerror(number))
            raise StorageFault("read a file", cause) from cause

    with source(tmp_path, Failing())[0].open(RECORD) as reader:
        if number == errno.EIO:
            reader.read(len(DATA))
            assert "Input/output error" in reader.damage()
        else:
            with pytest.raises(StorageFault):
                reader.read(len(DATA))
