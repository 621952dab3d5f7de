"""Content on its way: spans, streams, and reading small content whole."""

import asyncio

from simple_registry.content import BytesContent, ContentInterrupted, FileContent, Span, read_content, stream_of


def test_a_span_is_half_open():
    assert Span(3, 10).size == 7
    assert Span(3, 3).size == 0


def test_a_stream_yields_its_chunks_in_order():
    async def everything():
        return [chunk async for chunk in stream_of(b"one", b"", b"two")]

    assert asyncio.run(everything()) == [b"one", b"", b"two"]


def test_small_content_is_read_whole_from_wherever_it_is(tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"four")
    for content in (BytesContent(b"four"), FileContent(str(file), 4)):
        assert content.size == 4
        assert asyncio.run(read_content(content)) == b"four"


def test_an_interruption_knows_how_far_it_came():
    interrupted = ContentInterrupted(3, 10)
    assert (interrupted.received, interrupted.announced) == (3, 10)
    assert "3 of 10" in str(interrupted)
