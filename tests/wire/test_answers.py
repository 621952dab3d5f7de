"""The bytes of an answer's head, and files that are opened for it."""

import re

import pytest
from hypothesis import given, strategies as st

from simple_registry.content import FileContent, Span
from simple_registry.wire.answers import FileSpan, OpenSpan, Parts, head_of


def test_a_head_has_its_lines_in_order():
    head = head_of(200, [("a", "b"), ("c", "d")], 5, last=False, further=(("e", "f"),)).decode()
    date = r"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
    assert re.fullmatch(rf"HTTP/1.1 200 OK\r\na: b\r\nc: d\r\ne: f\r\n{date}\r\ncontent-length: 5\r\n\r\n", head)


def test_the_last_answer_of_a_connection_says_so():
    assert b"\r\nconnection: close\r\n\r\n" in head_of(400, [], 0, last=True)


@pytest.mark.parametrize("status", [204, 304])
def test_answers_that_never_have_content_have_no_length(status):
    assert b"content-length" not in head_of(status, [], 0, last=False)


def test_a_status_without_a_name_is_sent_all_the_same():
    assert head_of(299, [], 0, last=False).startswith(b"HTTP/1.1 299 Unknown\r\n")


@pytest.mark.parametrize("kind", [list, tuple])
@given(st.text(st.characters(max_codepoint=0xFF), max_size=20))
def test_no_value_can_begin_a_line_of_its_own(kind, value):
    headers = kind([("a", value), ("b", "c")])
    if set(value) & set("\r\n"):
        with pytest.raises(ValueError, match="line end"):
            head_of(200, headers, 0, last=False)
    else:
        assert head_of(200, headers, 0, last=False).count(b"\r\n") == 6


@pytest.fixture
def span(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 100)
    opened = OpenSpan(FileSpan(FileContent(str(path), 25_600), Span(10, 20)))
    yield opened
    opened.close()


def test_a_file_is_read_from_memory_and_from_the_disk(span):
    assert (span.start, span.stop) == (10, 20)
    assert span.load(256, 256) == bytes(range(256))
    assert span.read_cached(256, 256) == bytes(range(256))
    assert span.is_cached(0, 25_600)


def test_what_the_file_does_not_have_is_not_cached(span):
    assert span.read_cached(25_600, 1) is None
    assert not span.is_cached(0, 25_601)


@pytest.mark.parametrize("kind", ["absent", "link", "directory"])
def test_only_regular_names_are_opened(tmp_path, kind):
    path = tmp_path / "file"
    if kind == "link":
        path.symlink_to(tmp_path / "file2")
        (tmp_path / "file2").touch()
    if kind == "directory":
        path.mkdir()
        opened = OpenSpan(FileSpan(FileContent(str(path), 1), Span(0, 1)))  # reading it fails, which is found later
        opened.close()
        return
    with pytest.raises(OSError, match=r"No such file|symbolic links"):
        OpenSpan(FileSpan(FileContent(str(path), 1), Span(0, 1)))


def test_parts_are_their_pieces():
    assert list(Parts([b"a", b"b"], 2)) == [b"a", b"b"]
