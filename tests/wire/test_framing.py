"""The end of a body, by its length or its last chunk, for any split of the input."""

from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from simple_registry.wire.framing import MAX_CHUNK_LINE, MAX_TRAILERS, Chunked, Counted, framing_of
from simple_registry.wire.heads import RequestRefused
from support.wire import chunk


def feed(framing, pieces):
    """Feed the pieces of a message; return its content, and the bytes after its end."""
    content, rest = b"", b""
    for piece in pieces:
        if framing.complete:
            rest += piece
        else:
            found, after = framing.feed(piece)
            content += found
            rest += after
    return content, rest


def split_at(data, cuts):
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:stop] for start, stop in pairwise(places)]


CUTS = st.lists(st.integers(0, 10_000), max_size=10)


@given(st.binary(max_size=300), st.binary(max_size=50), CUTS)
def test_a_counted_body_ends_after_its_length(body, after, cuts):
    framing = Counted(len(body))
    pieces = split_at(body + after, cuts)
    assert feed(framing, pieces) == (body, after)
    assert framing.complete


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=6), st.binary(max_size=40), CUTS)
def test_a_body_in_chunks_ends_after_the_last_chunk(chunks, after, cuts):
    data = b"".join(map(chunk, chunks)) + b"0;end\r\nTrailer: x\r\n\r\n"
    framing = Chunked()
    assert feed(framing, split_at(data + after, cuts)) == (b"".join(chunks), after)
    assert framing.complete


@given(st.lists(st.binary(min_size=1, max_size=80), max_size=6), st.data())
def test_a_body_in_chunks_is_never_complete_before_its_end(chunks, data):
    whole = b"".join(map(chunk, chunks)) + b"0\r\n\r\n"
    framing = Chunked()
    feed(framing, [whole[: data.draw(st.integers(0, len(whole) - 1))]])
    assert not framing.complete


@given(st.binary(max_size=300), CUTS)
def test_malformed_chunks_are_refused_whatever_the_split(junk, cuts):
    def outcome(pieces):
        framing = Chunked()
        try:
            return feed(framing, pieces), framing.complete
        except RequestRefused as refusal:
            return refusal.status

    assert outcome(split_at(junk, cuts)) == outcome([junk])


@pytest.mark.parametrize("size", [b"5", b"05", b"000000000000005", b"5;a", b'5;a="b"', b"5;\xff"])
def test_forms_of_a_size_line(size):
    assert feed(Chunked(), [size + b"\r\nhello\r\n0\r\n\r\n"]) == (b"hello", b"")


def test_sizes_are_hexadecimal_in_either_case():
    for size in (b"1f", b"1F"):
        assert feed(Chunked(), [size + b"\r\n" + b"x" * 31 + b"\r\n0\r\n\r\n"]) == (b"x" * 31, b"")


@pytest.mark.parametrize(
    "data",
    [
        b"0" * 16 + b"\r\n",
        b"5;" + b"x" * MAX_CHUNK_LINE,
        b"0\r\n" + b"a: b\r\n" * (MAX_TRAILERS // 6 + 1),
        b"0\r\na: " + b"x" * MAX_TRAILERS,
        b"5\r\nhello\r\r\n",
        b"5\r\nhelloX\r\n",
        b"\xd9\xa5\r\nhello\r\n",
    ],
)
def test_malformed_and_long_lines_are_refused(data):
    with pytest.raises(RequestRefused) as refusal:
        feed(Chunked(), [data])
    assert refusal.value.status == 400


def test_a_body_without_a_length_has_chunks():
    assert isinstance(framing_of(None), Chunked)
    assert isinstance(framing_of(5), Counted)
    assert framing_of(0).complete
