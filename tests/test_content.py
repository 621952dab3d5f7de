"""Content on its way: spans, streams, and content of each kind, read whole and in part."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from simple_registry.content import PIECE, ContentInterrupted, InMemory, LocalFile, Span
from simple_registry.faults import ContentGone, StorageFault
from support.streams import stream_of

DATA = bytes(range(256)) * 1000


def test_a_span_is_half_open():
    assert Span(3, 10).size == 7
    assert Span(3, 3).size == 0


def test_a_stream_yields_its_chunks_in_order():
    async def everything():
        return [chunk async for chunk in stream_of(b"one", b"", b"two")]

    assert asyncio.run(everything()) == [b"one", b"", b"two"]


@pytest.fixture(params=["memory", "file"])
def content(request, tmp_path):
    file = tmp_path / "content"
    file.write_bytes(DATA)
    return InMemory(DATA) if request.param == "memory" else LocalFile(str(file), len(DATA), 1)


async def streamed(content, span):
    return [piece async for piece in content.stream(span)]


def test_content_is_read_whole_from_wherever_it_is(content):
    assert content.size == len(DATA)
    assert content.url is None
    assert asyncio.run(content.read()) == DATA


@pytest.mark.parametrize("span", [Span(0, len(DATA)), Span(5, 5), Span(1, 2), Span(PIECE - 1, PIECE + 1)])
def test_any_part_of_content_is_streamed_in_pieces(content, span):
    pieces = asyncio.run(streamed(content, span))
    assert b"".join(pieces) == DATA[slice(*span)]
    assert all(0 < len(piece) <= PIECE for piece in pieces)


def test_different_content_has_different_versions(tmp_path):
    assert InMemory(b"a").version == InMemory(b"a").version != InMemory(b"b").version
    assert LocalFile("f", 1, (1,)).version != LocalFile("f", 1, (2,)).version


async def broken_off(content):
    stream = content.stream(Span(0, len(DATA)))
    await anext(stream)
    await stream.aclose()


def test_a_stream_that_is_closed_early_leaves_no_file_open(content):
    before = len([*Path("/proc/self/fd").iterdir()])
    asyncio.run(broken_off(content))
    assert len([*Path("/proc/self/fd").iterdir()]) == before


GONE = {
    "absent": lambda path: path.unlink(),
    "a link": lambda path: (path.unlink(), path.symlink_to(path.with_name("other"))),
    "a directory": lambda path: (path.unlink(), path.mkdir()),
    "a pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "shorter": lambda path: os.truncate(path, len(DATA) - 1),
}


@pytest.mark.parametrize("go", GONE.values(), ids=GONE)
def test_a_missing_or_unreadable_file_is_content_gone(tmp_path, go):
    path = tmp_path / "content"
    path.write_bytes(DATA)
    (tmp_path / "other").write_bytes(DATA)
    go(path)
    content = LocalFile(str(path), len(DATA))
    with pytest.raises(ContentGone):
        asyncio.run(content.read())
    with pytest.raises(ContentGone):
        asyncio.run(streamed(content, Span(0, len(DATA))))


def test_a_failure_unrelated_to_the_file_is_a_fault(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(StorageFault) as fault:
        LocalFile(str(tmp_path), 1).open()
    assert not isinstance(fault.value, ContentGone)


def test_an_interruption_has_the_received_and_announced_sizes():
    interrupted = ContentInterrupted(3, 10)
    assert (interrupted.received, interrupted.announced) == (3, 10)
    assert "3 of 10" in str(interrupted)
