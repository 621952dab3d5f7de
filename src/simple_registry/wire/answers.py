"""Answers: a status, headers, and content in memory or in files; and the bytes of their heads.

Files are opened before a head leaves, so that one that cannot be opened becomes another answer.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Protocol

from simple_registry.content import FileContent, Span

Headers = Sequence[tuple[str, str]]

_REASONS = {status.value: status.phrase for status in HTTPStatus}
SAFE_HEADERS = (("x-content-type-options", "nosniff"), ("content-security-policy", "default-src 'none'; sandbox"))
"""Header lines of every answer: what clients sent, or make us quote, is never a page of ours to a browser."""
WITHOUT_CONTENT = frozenset({204, 304})
"""Statuses of answers that never have content (RFC 9110, section 6.4.1)."""


# O_NONBLOCK and O_NOFOLLOW: a named pipe or a link may have taken the file's name since it was looked up.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_RWF_NOWAIT: int | None = getattr(os, "RWF_NOWAIT", None)
"""Linux's flag for reads that succeed only from memory."""


@dataclass(frozen=True, slots=True)
class FileSpan:
    """Part of a file."""

    file: FileContent
    span: Span


@dataclass(frozen=True, slots=True)
class Parts:
    """Content of several pieces, `size` bytes together."""

    pieces: Sequence[bytes | FileSpan]
    size: int

    def __iter__(self) -> Iterator[bytes | FileSpan]:
        return iter(self.pieces)


@dataclass(frozen=True, slots=True)
class Unsent:
    """Content of `size` bytes that the answer to a HEAD only announces."""

    size: int


Content = bytes | FileSpan | Parts | Unsent


class Answer(Protocol):
    """What is sent."""

    @property
    def status(self) -> int:
        """The status code."""
        ...

    @property
    def headers(self) -> Headers:
        """Header lines: names in lower case, values without line ends. `Content-Length` is not among them."""
        ...

    @property
    def content(self) -> Content:
        """The content."""
        ...

    @property
    def size(self) -> int:
        """Bytes of content."""
        ...


def head_of(status: int, headers: Headers, size: int, *, last: bool, further: Headers = ()) -> bytes:
    """Return the bytes of an answer's head, with `further` header lines after `headers`.

    Raises: ValueError for a value that would begin a line of its own.
    """
    # A tuple of headers is taken to be one that comes again.
    text = (_repeated if type(headers) is tuple else _lines)(headers)
    if further:
        text += _lines(further)
    length = "" if status in WITHOUT_CONTENT else f"content-length: {size}\r\n"
    close = "connection: close\r\n" if last else ""
    return f"{_status_line(status)}{text}date: {_date(int(time.time()))}\r\n{length}{close}\r\n".encode("latin-1")


def _lines(headers: Headers) -> str:
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if not text.count("\r") == text.count("\n") == len(headers):
        raise ValueError("a header value holds a line end")
    return text


_repeated = lru_cache(maxsize=4096)(_lines)


@lru_cache
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}\r\n"


@lru_cache(maxsize=1)
def _date(second: int) -> str:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(second))  # in the C locale, which no code changes


class OpenSpan:
    """Part of an open file, which is closed by `close`."""

    def __init__(self, part: FileSpan) -> None:
        """Open the file.

        Raises: OSError.
        """
        self.fd = os.open(part.file.path, _OPEN_FLAGS)
        self.start, self.stop = part.span

    def close(self) -> None:
        """Close the file."""
        os.close(self.fd)

    def read_cached(self, start: int, size: int) -> bytes | None:
        """Return bytes of the file if the kernel has them in memory, so that no disk is waited for."""
        if _RWF_NOWAIT is None:
            return None
        buffer = bytearray(size)
        try:
            read = os.preadv(self.fd, [buffer], start, _RWF_NOWAIT)
        except OSError:
            return None
        return bytes(buffer) if read == size else None

    def is_cached(self, start: int, stop: int) -> bool:
        """Return whether the first and the last byte of a piece are in memory; mostly, all between them are too."""
        return self.read_cached(start, 1) is not None and self.read_cached(stop - 1, 1) is not None

    def load(self, start: int, size: int) -> bytes:
        """Return bytes of the file, from the disk if need be, and have the kernel fetch as many after them."""
        os.posix_fadvise(self.fd, start + size, size, os.POSIX_FADV_WILLNEED)
        return os.pread(self.fd, size, start)
