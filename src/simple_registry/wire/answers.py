"""Answers: a status, headers, and content from memory or from a store. Also builds the bytes of their heads."""

import time
from collections.abc import Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

import msgspec

from simple_registry.content import Content, Span

Headers = Sequence[tuple[str, str]]

_REASONS = {status.value: status.phrase for status in HTTPStatus}
SAFE_HEADERS = (("x-content-type-options", "nosniff"), ("content-security-policy", "default-src 'none'; sandbox"))
"""Headers of every answer: a browser must never treat content from clients as a page of this server."""
WITHOUT_CONTENT = frozenset({204, 304})
"""Statuses that never have content (RFC 9110, section 6.4.1)."""


class Part(msgspec.Struct, frozen=True):
    """A span of some content."""

    content: Content
    span: Span

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.span.stop - self.span.start


class Parts(msgspec.Struct, frozen=True):
    """Content in several pieces, `size` bytes in total."""

    pieces: Sequence[bytes | Part]
    size: int


class Unsent(msgspec.Struct, frozen=True):
    """Content of `size` bytes that is only announced, in the answer to a HEAD."""

    size: int


AnswerContent = bytes | Part | Parts | Unsent


def size_of(content: AnswerContent) -> int:
    """Return the size of an answer's content in bytes."""
    return len(content) if isinstance(content, bytes) else content.size


class Answer(Protocol):
    """An answer to a request."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def headers(self) -> Headers:
        """Headers other than `Content-Length`: names in lower case, values without line ends."""

    @property
    def content(self) -> AnswerContent:
        """The content."""

    @property
    def size(self) -> int:
        """Bytes of content."""


def head_of(status: int, headers: Headers, size: int, *, last: bool, further: Headers = ()) -> bytes:
    """Return the bytes of an answer's head, with `further` header lines after `headers`.

    Raises: ValueError for a value with a line end, which would inject a header.
    """
    # Headers in a tuple are constants, so their text is cached.
    text = (_repeated if type(headers) is tuple else _lines)(headers)
    if further:
        text += _lines(further)
    length = "" if status in WITHOUT_CONTENT else f"content-length: {size}\r\n"
    close = "connection: close\r\n" if last else ""
    return f"{_status_line(status)}{text}date: {_date(int(time.time()))}\r\n{length}{close}\r\n".encode("latin-1")


def _lines(headers: Headers) -> str:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if not text.count("\r") == text.count("\n") == len(headers):
        raise ValueError("a header value has a line end")
    return text


_repeated = lru_cache(maxsize=4096)(_lines)


@lru_cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))  # names in English: no code sets a locale
