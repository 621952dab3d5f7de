"""The bytes of an answer's head, and the size of its content."""

import re

import pytest
from hypothesis import given, strategies as st

from simple_registry.content import InMemory, Span
from simple_registry.wire.answers import Part, Parts, Unsent, head_of, size_of


def test_a_head_has_its_lines_in_order():
    head = head_of(200, [("a", "b"), ("c", "d")], 5, last=False, further=(("e", "f"),)).decode()
    date = r"date: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"
    assert re.fullmatch(rf"HTTP/1.1 200 OK\r\na: b\r\nc: d\r\ne: f\r\n{date}\r\ncontent-length: 5\r\n\r\n", head)


def test_the_last_answer_has_connection_close():
    assert b"\r\nconnection: close\r\n\r\n" in head_of(400, [], 0, last=True)


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_content_have_no_length(status):
    assert b"content-length" not in head_of(status, [], 0, last=False)


def test_an_unknown_status_is_sent():
    assert head_of(299, [], 0, last=False).startswith(b"HTTP/1.1 299 Unknown\r\n")


@pytest.mark.parametrize("kind", [list, tuple])
@given(st.text(st.characters(max_codepoint=0xFF), max_size=20))
def test_no_value_can_inject_a_header_line(kind, value):
    headers = kind([("a", value), ("b", "c")])
    if set(value) & set("\r\n"):
        with pytest.raises(ValueError, match="line end"):
            head_of(200, headers, 0, last=False)
    else:
        assert head_of(200, headers, 0, last=False).count(b"\r\n") == 6


PART = Part(InMemory(b"content"), Span(2, 5))


@pytest.mark.parametrize(("content", "size"), [(b"four", 4), (PART, 3), (Parts([b"a", PART], 4), 4), (Unsent(9), 9)])
def test_content_of_each_kind_has_a_size(content, size):
    assert size_of(content) == size
