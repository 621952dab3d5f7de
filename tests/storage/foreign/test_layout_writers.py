"""Layouts that are written: whole files only, continued in a directory, and readable as an archive."""

import asyncio
import io
import tarfile

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.foreign.layout_writers import ArchiveWriter, DirectoryWriter, new_archive
from simple_registry.storage.sources import SourceInvalid
from support.streams import stream_of

PATH = "blobs/sha256/x"


async def broken():
    yield b"half"
    raise StorageFault("read", "a bad sector")


def test_a_file_of_a_directory_is_there_when_it_is_whole(tmp_path):
    async def scenario():
        writer = DirectoryWriter(tmp_path / "out" / "layout")
        assert not await writer.has(PATH, 5)
        with pytest.raises(StorageFault):
            await writer.add(PATH, 8, broken())
        assert not (tmp_path / "out" / "layout" / PATH).exists()
        await writer.add(PATH, 5, stream_of(b"who", b"le"))
        assert await writer.has(PATH, 5)
        assert not await writer.has(PATH, 6)

    asyncio.run(scenario())
    root = tmp_path / "out" / "layout"
    assert [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()] == [PATH]
    assert (root / PATH).read_bytes() == b"whole"
    assert DirectoryWriter(root)


@pytest.mark.parametrize("name", ["other", "index.json.bak"])
def test_a_directory_with_something_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("x")
    with pytest.raises(SourceInvalid, match="it holds something else than an OCI layout"):
        DirectoryWriter(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(SourceInvalid):
        DirectoryWriter(tmp_path / "file" / "layout")


def test_an_archive_is_an_ordinary_one(tmp_path):
    async def scenario(path):
        async with new_archive(path) as writer:
            assert not await writer.has(PATH, 5)
            await writer.add(PATH, 5, stream_of(b"whole"))
            await writer.add("empty", 0, stream_of())
            assert not path.exists()

    path = tmp_path / "a.tar"
    asyncio.run(scenario(path))
    with tarfile.open(path) as tar:
        assert {each.name: tar.extractfile(each).read() for each in tar} == {PATH: b"whole", "empty": b""}
    assert [each.name for each in tmp_path.iterdir()] == ["a.tar"]


def test_a_broken_off_archive_leaves_the_older_one(tmp_path):
    async def scenario(path):
        async with new_archive(path) as writer:
            await writer.add(PATH, 8, broken())

    path = tmp_path / "a.tar"
    path.write_text("an older one")
    with pytest.raises(StorageFault):
        asyncio.run(scenario(path))
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("a.tar", "an older one")]


def test_a_full_disk_is_a_fault():
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(StorageFault, match="cannot write the archive"):
        asyncio.run(ArchiveWriter(file, "the archive").add(PATH, 5, stream_of(b"whole")))


def test_an_archive_goes_through_a_pipe():
    async def scenario():
        writer = ArchiveWriter(made, "a pipe")
        await writer.add(PATH, 5, stream_of(b"whole"))
        await writer.finish()

    made = io.BytesIO()
    asyncio.run(scenario())
    made.seek(0)
    with tarfile.open(fileobj=made) as tar:
        assert tar.getnames() == [PATH]
