"""Layouts in tar archives: files and pipes, in any order, and hostile ones."""

import asyncio
import io
import tarfile
from pathlib import Path

import pytest

from simple_registry.content import Span
from simple_registry.oci.digests import digest_of
from simple_registry.oci.layouts import MAX_INDEX_BYTES, blob_path
from simple_registry.storage.foreign import layout_archive
from simple_registry.storage.foreign.layout_archive import LayoutArchive, LayoutPipe
from simple_registry.storage.sources import SourceInvalid
from simple_registry.tar_headers import header_of
from support.foreign import LAYER, layout

LAYER_PATH = blob_path(digest_of(LAYER))


@pytest.fixture
def files(tmp_path):
    """The files of a layout by path."""
    root = layout(tmp_path / "layout").image().root
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def write(path, files, prefix="", *extra):
    with tarfile.open(path, "w") as tar:
        for info in extra:
            tar.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture
def opened():
    made = []

    def open_(path):
        made.append(LayoutArchive(path))
        return made[-1]

    yield open_
    for archive in made:
        archive.close()


async def read(content):
    return b"".join([piece async for piece in content.stream(Span(0, content.size))])


@pytest.mark.parametrize("prefix", ["", "./"])
@pytest.mark.parametrize("index_first", [True, False])
def test_content_is_read_in_any_order(tmp_path, files, opened, prefix, index_first):
    index = {"index.json": files.pop("index.json")}
    ordered = {**index, **files} if index_first else {**files, **index}
    archive = opened(write(tmp_path / "a.tar", ordered, prefix))

    async def scenario():
        assert await archive.index() == index["index.json"]
        content = await archive.open(digest_of(LAYER))
        assert await read(content) == await content.read() == LAYER
        assert await archive.open(digest_of(b"other")) is None

    asyncio.run(scenario())


def links(name):
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        yield info


def test_links_and_foreign_paths_are_skipped(tmp_path, files, opened):
    content = files.pop(LAYER_PATH)
    files |= {"../outside": b"x", "/etc/passwd": b"x", f"x/../{LAYER_PATH}": content}
    archive = opened(write(tmp_path / "a.tar", files, "", *links(LAYER_PATH), *links("index.json")))
    assert asyncio.run(archive.open(digest_of(LAYER))) is None
    assert asyncio.run(archive.index())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.pop("index.json"), "it has no index.json"),
        (lambda files: files.update({"index.json": bytes(MAX_INDEX_BYTES + 1)}), "are read"),
    ],
)
def test_an_archive_without_a_usable_index_is_refused(tmp_path, files, opened, change, said):
    change(files)
    archive = opened(write(tmp_path / "a.tar", files))
    with pytest.raises(SourceInvalid, match=said):
        asyncio.run(archive.index())


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"text" * 200, "no tar archive"),
        (header_of("x", 10**12), "it ends within 'x'"),
        (header_of("x", 1), "ends within"),
    ],
)
def test_another_file_is_refused(tmp_path, data, said):
    path = tmp_path / "a.tar"
    path.write_bytes(data)
    with pytest.raises(SourceInvalid, match=said):
        LayoutArchive(path)


def test_what_is_not_there_is_refused(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(SourceInvalid):
            LayoutArchive(path)


def test_the_number_of_files_is_bounded(tmp_path, files, monkeypatch):
    monkeypatch.setattr(layout_archive, "MAX_MEMBERS", 3)
    with pytest.raises(SourceInvalid, match="more than 3 files"):
        LayoutArchive(write(tmp_path / "a.tar", files))


async def entries(pipe, wanted):
    return {
        path: (size, b"".join([d async for d in s]) if wanted(path) else None) async for path, size, s in pipe.entries()
    }


def test_a_pipe_yields_every_file_and_skips_what_is_not_read(tmp_path, files):
    data = write(tmp_path / "a.tar", files | {"other": b"x" * 5000}).read_bytes()
    found = asyncio.run(entries(LayoutPipe(io.BytesIO(data), "a pipe"), lambda path: path == LAYER_PATH))
    files.pop("oci-layout")
    assert {path: size for path, (size, _) in found.items()} == {path: len(each) for path, each in files.items()}
    assert found[LAYER_PATH][1] == LAYER


@pytest.mark.parametrize("read_all", [True, False])
def test_a_pipe_that_breaks_off_is_noticed(tmp_path, files, read_all):
    data = Path(write(tmp_path / "a.tar", {"index.json": b"x" * 2000})).read_bytes()[:1500]
    with pytest.raises(SourceInvalid, match="cannot use a pipe: it ends within 'index"):
        asyncio.run(entries(LayoutPipe(io.BytesIO(data), "a pipe"), lambda _: read_all))
    with pytest.raises(SourceInvalid, match="cannot use a pipe: it is no tar archive"):
        asyncio.run(entries(LayoutPipe(io.BytesIO(b"x"), "a pipe"), lambda _: read_all))
