"""A data directory as a tar archive: written and read in one pass, and refused unless it is whole."""

import io
import tarfile

import pytest
from hypothesis import given, strategies as st

from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.archive import MAX_SMALL, ArchiveCopy, entries
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ContentRecord
from simple_registry.tar_headers import header_of

DATA = b"some content" * 5000
RECORD = ContentRecord(digest_of(DATA, "sha512"), len(DATA))


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "registry.db"
    path.write_bytes(b"rows" * 1000)
    return path


@pytest.fixture
def written(database, tmp_path):
    """An archive as bytes."""
    stream = io.BytesIO()
    copy = ArchiveCopy(stream, Layout(tmp_path))
    copy.write_database(database)
    assert not copy.link_content(RECORD)
    assert copy.write_content(RECORD, CheckedReader(RECORD, io.BytesIO(DATA).read)) is None
    copy.write_file("admin.hash", b"hash")
    copy.write_file("documents/team/a.yaml", b"kind: User")
    copy.finish()
    return stream.getvalue()


def read(data):
    return [(entry.path, entry.digest, entry.read(entry.size)) for entry in entries(io.BytesIO(data), "x.tar")]


def test_what_was_written_is_read_again_in_order(written, database):
    found = read(written)
    assert [path for path, _, _ in found[:1] + found[2:]] == [
        "registry.db",
        "admin.hash",
        "documents/team/a.yaml",
        "format",
    ]
    assert found[0][2] == database.read_bytes()
    assert found[1][1:] == (RECORD.digest, DATA)
    assert found[3][2] == b"kind: User"


def test_modes_and_sizes_are_those_of_a_data_directory(written):
    with tarfile.open(fileobj=io.BytesIO(written)) as tar:
        modes = {member.name.partition("/")[0]: oct(member.mode) for member in tar if not member.isdir()}
        assert {oct(member.mode) for member in tar.getmembers() if member.isdir()} == {"0o700"}
    assert modes == {
        "registry.db": "0o600",
        "blobs": "0o444",
        "admin.hash": "0o600",
        "documents": "0o600",
        "format": "0o600",
    }


def test_damaged_content_keeps_its_size(tmp_path):
    stream = io.BytesIO()
    copy = ArchiveCopy(stream, Layout(tmp_path))
    assert copy.write_content(RECORD, CheckedReader(RECORD, io.BytesIO(DATA[:50]).read)) == (
        f"it has 50 bytes of {len(DATA)}"
    )
    copy.finish()
    assert read(stream.getvalue())[0][2] == DATA[:50].ljust(len(DATA), b"\0")


@given(part=st.floats(0, 0.999))
def test_a_part_of_an_archive_is_refused(part):
    stream = io.BytesIO()
    copy = ArchiveCopy(stream, Layout("/data"))
    copy.write_content(RECORD, CheckedReader(RECORD, io.BytesIO(DATA).read))
    copy.finish()
    data = stream.getvalue()
    end = data.index(b"simple-registry data directory")
    with pytest.raises((DataDirectoryRefused, StorageFault)):
        read(data[: int(end * part)])


@given(st.binary(max_size=3000))
def test_anything_else_is_refused(data):
    with pytest.raises(StorageFault):
        read(data)


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "/etc/passwd",
        "registry.db-wal",
        "blobs/sha256/aa/" + "b" * 64,
        "blobs/sha256/aa/" + "a" * 63,
        "blobs/md5/aa/" + "a" * 32,
        "documents/../../evil",
        "documents/.hidden",
        "documents/a\0b",
        "server.lock",
    ],
)
def test_a_file_that_no_backup_has_is_refused(name):
    with pytest.raises(DataDirectoryRefused):
        read(_tar(tarfile.TarInfo(name)))


@pytest.mark.parametrize("size", [MAX_SMALL + 1, 2**40])
def test_a_small_file_over_the_limit_is_refused_before_it_is_read(size):
    for path in ("documents/a.yaml", "signing-keys.json", "format"):
        with pytest.raises(DataDirectoryRefused, match=f"has {size} bytes"):
            read(header_of(path, size) + bytes(1024))


def test_a_small_file_over_the_limit_is_not_written(tmp_path):
    copy = ArchiveCopy(io.BytesIO(), Layout(tmp_path))
    copy.write_file("documents/a.yaml", bytes(MAX_SMALL))
    with pytest.raises(StorageFault, match=r"documents/b\.yaml has 1048577 bytes"):
        copy.write_file("documents/b.yaml", bytes(MAX_SMALL + 1))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])
def test_what_is_not_a_file_is_refused(kind):
    entry = tarfile.TarInfo("admin.hash")
    entry.type, entry.linkname = kind, "/etc/passwd"
    with pytest.raises(DataDirectoryRefused, match=r"admin\.hash"):
        read(_tar(entry))


def test_an_archive_that_was_packed_again_with_other_tools_is_read(written):
    stream = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(written)) as tar, tarfile.open(fileobj=stream, mode="w:gz") as again:
        for member in tar:
            again.addfile(member.replace(name=f"./{member.name}"), tar.extractfile(member))
    assert read(stream.getvalue()) == read(written)


def test_a_full_disk_is_a_fault(tmp_path):
    class Full(io.BytesIO):
        def write(self, _data):
            raise OSError(28, "No space left on device")

    copy = ArchiveCopy(Full(), Layout(tmp_path))
    copy.write_content(RECORD, CheckedReader(RECORD, io.BytesIO(DATA).read))
    with pytest.raises(StorageFull):
        copy.finish()
    del copy  # warnings of what is deallocated are errors


def test_an_archive_that_is_given_up_writes_no_more(tmp_path):
    stream = io.BytesIO()
    copy = ArchiveCopy(stream, Layout(tmp_path))
    copy.write_file("admin.hash", b"hash")
    stream.close()
    del copy  # as above


def _tar(entry):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        tar.addfile(entry, io.BytesIO())
    return stream.getvalue()
