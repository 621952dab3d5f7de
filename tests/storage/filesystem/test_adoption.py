"""Files taken into the content tree: verified, durable, and the source as it was."""

import asyncio
import errno
import fcntl
import os
import shutil
import stat
import tempfile

import pytest

from simple_registry.content import LocalFile
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem import adoption
from simple_registry.storage.filesystem.adoption import FilesystemAdoption
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.threads import Threads
from simple_registry.storage.filesystem.upload_store import FilesystemUploadStore
from simple_registry.storage.sources import BytesDiffer, Transfer
from support.disks import mounted

DATA = b"some content" * 100_000
LARGE = 64 << 20
"""Bytes of a file whose room cannot be overlooked."""

DIGEST = digest_of(DATA, "sha512")


@pytest.fixture
def layout(tmp_path):
    claim = DataDirectory.claim(tmp_path / "data")
    yield claim.layout
    claim.release()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(DATA)
    os.utime(path, (0, 0))
    return LocalFile(str(path), len(DATA))


def adopt(layout, file, transfer, digest=DIGEST):
    async def scenario():
        threads = Threads()
        try:
            return await FilesystemAdoption(layout, Disk(), threads).adopt(file, digest, transfer)
        finally:
            threads.close()

    return asyncio.run(scenario())


def kept(layout):
    return [os.path.join(top, name) for top, _, names in os.walk(layout.blobs) for name in names]


@pytest.fixture
def reflinks(monkeypatch):
    """A file system that shares bytes; it copies them."""

    def clone(fd, request, source):
        assert request == 0x40049409
        os.pwrite(fd, os.pread(source, 10**8, 0), 0)

    monkeypatch.setattr(fcntl, "ioctl", clone)


@pytest.fixture
def no_reflinks(monkeypatch):
    def refuse(*_):
        raise OSError(errno.EOPNOTSUPP, "no")

    monkeypatch.setattr(fcntl, "ioctl", refuse)


@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.COPY, Transfer.LINK])
def test_the_bytes_of_a_file_become_content(layout, file, no_reflinks, transfer):
    assert adopt(layout, file, transfer).place == ""
    path = layout.blob(DIGEST)
    with open(path, "rb") as content:
        assert content.read() == DATA
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o444
    assert os.path.samefile(path, file.path) is (transfer is Transfer.LINK)
    assert os.listdir(layout.uploads) == []
    assert os.stat(file.path).st_mtime == 0


@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.REFLINK])
def test_bytes_are_shared_where_the_file_system_can(layout, file, reflinks, transfer):
    adopt(layout, file, transfer)
    assert kept(layout) == [layout.blob(DIGEST)]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xfs", "btrfs"])
@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.REFLINK])
def test_shared_bytes_take_no_room_on_real_file_systems_and_are_content_of_their_own(tmp_path, kind, transfer):
    with mounted(kind, tmp_path) as disk:
        claim = DataDirectory.claim(disk / "data")
        source = disk / "source"
        source.write_bytes(os.urandom(LARGE))
        digest = digest_of(source.read_bytes(), "sha512")
        os.sync()
        before = shutil.disk_usage(disk).free
        adopt(claim.layout, LocalFile(str(source), LARGE), transfer, digest)
        os.sync()
        assert before - shutil.disk_usage(disk).free < LARGE / 4
        source.write_bytes(b"changed")
        with open(claim.layout.blob(digest), "rb") as content:
            assert digest_of(content.read(), "sha512") == digest
        claim.release()


def test_sharing_that_is_required_is_refused_where_it_is_impossible(layout, file, no_reflinks):
    with pytest.raises(StorageFault, match="cannot share the bytes of a file"):
        adopt(layout, file, Transfer.REFLINK)
    assert kept(layout) == os.listdir(layout.uploads) == []


@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.COPY, Transfer.LINK])
def test_other_bytes_leave_nothing_and_the_source_as_it_was(layout, file, transfer):
    before = os.stat(file.path)
    with pytest.raises(BytesDiffer, match=f"its bytes hash to {digest_of(DATA)}"):
        adopt(layout, file, transfer, digest_of(b"other"))
    assert kept(layout) == os.listdir(layout.uploads) == []
    after = os.stat(file.path)
    assert (after.st_mode, after.st_nlink, after.st_mtime) == (before.st_mode, 1, 0)


def test_content_that_is_there_is_replaced(layout, file):
    adopt(layout, file, Transfer.COPY)
    os.chmod(layout.blob(DIGEST), 0o644)
    with open(layout.blob(DIGEST), "wb") as content:
        content.write(b"damaged")
    adopt(layout, file, Transfer.LINK)
    with open(layout.blob(DIGEST), "rb") as content:
        assert content.read() == DATA


@pytest.mark.parametrize("transfer", [Transfer.AUTO, Transfer.COPY])
def test_a_file_that_has_gone_is_a_fault_of_that_file(layout, file, transfer):
    os.unlink(file.path)
    with pytest.raises(ContentGone):
        adopt(layout, file, transfer)
    assert os.listdir(layout.uploads) == []


def test_a_file_that_grows_meanwhile_is_not_taken(layout, file):
    with pytest.raises(ContentGone, match="its size changed meanwhile"):
        adopt(layout, LocalFile(file.path, 7), Transfer.COPY)
    assert kept(layout) == os.listdir(layout.uploads) == []


def test_a_bad_sector_is_a_fault_of_that_file(layout, file, monkeypatch):
    def fail(*_):
        raise OSError(errno.EIO, "bad sector")

    monkeypatch.setattr(adoption.os, "pread", fail)
    with pytest.raises(ContentGone):
        adopt(layout, file, Transfer.COPY)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_another_user_is_not_linked(layout, file):
    os.chown(file.path, 12345, -1)
    with pytest.raises(StorageFault, match="belongs to the user with id 12345"):
        adopt(layout, file, Transfer.LINK)
    adopt(layout, file, Transfer.COPY)
    assert os.stat(layout.blob(DIGEST)).st_uid == 0


def test_only_a_regular_file_is_linked(layout, file, tmp_path):
    os.symlink(file.path, tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "link", tmp_path / "none", tmp_path, tmp_path / "pipe"):
        with pytest.raises(StorageFault):
            adopt(layout, LocalFile(str(path), len(DATA)), Transfer.LINK)
    assert kept(layout) == os.listdir(layout.uploads) == []


def test_a_file_that_is_replaced_meanwhile_is_not_linked(layout, file, monkeypatch):
    link = Disk.link

    def replaced(disk, source, target):
        os.unlink(source)
        with open(source, "wb") as other:
            other.write(DATA)
        return link(disk, source, target)

    monkeypatch.setattr(Disk, "link", replaced)
    with pytest.raises(StorageFault, match="it was replaced meanwhile"):
        adopt(layout, file, Transfer.LINK)
    assert kept(layout) == os.listdir(layout.uploads) == []


@pytest.mark.skipif(not os.path.isdir("/dev/shm"), reason="there is no second file system")
def test_a_file_of_another_file_system_is_not_linked(layout):
    with tempfile.NamedTemporaryFile(dir="/dev/shm") as other:
        other.write(DATA)
        other.flush()
        with pytest.raises(StorageFault, match="it is on another file system; use -copy"):
            adopt(layout, LocalFile(other.name, len(DATA)), Transfer.LINK)
        adopt(layout, LocalFile(other.name, len(DATA)), Transfer.AUTO)
    assert kept(layout) == [layout.blob(DIGEST)]


def test_the_collector_does_not_take_a_linked_file_for_abandoned(layout, file, monkeypatch):
    taken = []
    link = FilesystemAdoption._link

    def linked(adoption, fd, file, path):
        link(adoption, fd, file, path)
        taken.append(FilesystemUploadStore(layout, Disk(), Threads())._abandoned(1e10))

    monkeypatch.setattr(FilesystemAdoption, "_link", linked)
    adopt(layout, file, Transfer.LINK)
    assert taken == [[]]


def test_a_file_system_without_links_is_a_fault(layout, file, monkeypatch):
    monkeypatch.setattr(Disk, "link", lambda *_: False)
    with pytest.raises(StorageFault, match="does not allow it; use -copy"):
        adopt(layout, file, Transfer.LINK)
    assert kept(layout) == os.listdir(layout.uploads) == []
