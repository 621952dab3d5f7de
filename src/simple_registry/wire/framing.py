"""Where a body ends: by the length that its head announced, or by its last chunk (RFC 9112, sections 6 and 7).

A framing is fed what arrives and returns the content in it. Once `complete`, all further bytes belong to the next
request. Nothing else completes a body: a connection that ends earlier leaves it incomplete.
"""

import re
from typing import Protocol

from simple_registry.wire.heads import RequestRefused

MAX_CHUNK_LINE = 1024
"""Bytes of the line before a chunk, extensions included."""

MAX_TRAILERS = 8 * 1024
"""Bytes of the lines after the last chunk. They are checked and dropped."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class Framing(Protocol):
    """Finds the end of one body."""

    complete: bool

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the end of the body.

        Raises: RequestRefused.
        """
        ...


class Counted:
    """A body of a known length."""

    def __init__(self, length: int) -> None:
        """Expect `length` bytes."""
        self._missing = length
        self.complete = length == 0

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the end of the body."""
        rest = b""
        if len(data) > self._missing:
            data, rest = data[: self._missing], data[self._missing :]
        self._missing -= len(data)
        self.complete = self._missing == 0
        return data, rest


class Chunked:
    """A body in chunks; its length is known when the last one has come.

    size line ──► data ──► line end ──► size line …   0 ──► trailer lines ──► empty line
    """

    def __init__(self) -> None:
        """Expect the first size line."""
        self.complete = False
        self._line = b""
        """The beginning of a line whose end has not arrived."""
        self._missing = 0
        """Bytes of the present chunk that have not arrived."""
        self._in_data = False
        self._trailers: int | None = None
        """Bytes of trailer lines so far; `None` before the last chunk."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the end of the body.

        Raises: RequestRefused.
        """
        view = memoryview(data)
        pieces: list[memoryview] = []
        at = 0
        while at < len(data) and not self.complete:
            if self._missing:
                piece = view[at : at + self._missing]
                pieces.append(piece)
                at += len(piece)
                self._missing -= len(piece)
            else:
                at = self._read_line(data, at)
        # Chunks are put together: as an object each, small ones would take many times their size.
        return b"".join(pieces), data[at:]

    def _read_line(self, data: bytes, at: int) -> int:
        """Read one line, or the part of it that has arrived; return where it ends in `data`."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        line = self._line + data[at:stop]
        limit = MAX_CHUNK_LINE if self._trailers is None else MAX_TRAILERS - self._trailers
        if len(line) > limit:
            raise RequestRefused(400, "the lines between chunks are too long")
        if end < 0:
            self._line = line
            return stop
        if not line.endswith(b"\r\n"):
            raise RequestRefused(400, "a line between chunks ends without a carriage return")
        self._line = b""
        self._take_line(line[:-2], len(line))
        return stop

    def _take_line(self, line: bytes, size: int) -> None:
        if self._in_data:
            if line:
                raise RequestRefused(400, "a chunk is longer than its size line says")
            self._in_data = False
        elif self._trailers is None:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise RequestRefused(400, "the size of a chunk is malformed")
            self._missing = int(match[1], 16)
            self._in_data = self._missing > 0
            if not self._missing:
                self._trailers = 0
        elif line:
            if _TRAILER.fullmatch(line) is None:
                raise RequestRefused(400, "a trailer line is malformed")
            self._trailers += size
        else:
            self.complete = True


def framing_of(length: int | None) -> Framing:
    """Return the framing of a body of `length` bytes, or in chunks when it is `None`."""
    return Chunked() if length is None else Counted(length)
