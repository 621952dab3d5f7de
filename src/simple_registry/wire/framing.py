"""Finds the end of a body: by its `Content-Length`, or by its last chunk (RFC 9112, sections 6 and 7).

A framing is fed input and returns the content in it. Once it is `complete`, further bytes belong to the next request.
The end of the connection never completes a body.
"""

import re
from enum import Enum, auto
from typing import Protocol

from simple_registry.wire.heads import RequestRefused

MAX_CHUNK_LINE = 1024
"""Bytes of the size line of a chunk, extensions included."""

MAX_TRAILERS = 8 * 1024
"""Bytes of the trailer lines after the last chunk. They are validated and dropped."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")


class Framing(Protocol):
    """Finds the end of one body."""

    @property
    def complete(self) -> bool:
        """Whether the last byte has arrived."""

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the end of the body.

        Raises: RequestRefused.
        """


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


class _State(Enum):
    """The next element of a body in chunks.

    SIZE ──► DATA ──► DATA_END ──► SIZE …      0 ──► TRAILERS ──► COMPLETE
    """

    SIZE = auto()  # the size line of a chunk
    DATA = auto()
    DATA_END = auto()  # the line end after its data
    TRAILERS = auto()  # the lines after the last chunk, up to an empty one
    COMPLETE = auto()


class Chunked:
    """A body in chunks."""

    def __init__(self) -> None:
        self._state = _State.SIZE
        self._line = b""
        """The first part of an incomplete line."""
        self._missing = 0
        """Bytes of the current chunk that have not arrived."""
        self._line_room = MAX_CHUNK_LINE
        """The maximum size of the current line, or of all remaining trailer lines."""

    @property
    def complete(self) -> bool:
        """Whether the last byte has arrived."""
        return self._state is _State.COMPLETE

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Return the content in `data`, and the bytes after the end of the body."""
        view = memoryview(data)
        pieces: list[memoryview] = []
        at = 0
        while at < len(data) and self._state is not _State.COMPLETE:
            if self._state is _State.DATA:
                piece = view[at : at + self._missing]
                pieces.append(piece)
                at += len(piece)
                self._missing -= len(piece)
                if not self._missing:
                    self._state = _State.DATA_END
            else:
                at = self._read_line(data, at)
        # Joined: small chunks as separate objects would take many times their size.
        return b"".join(pieces), data[at:]

    def _read_line(self, data: bytes, at: int) -> int:
        """Read one line, or the part of it that has arrived; return its end in `data`."""
        end = data.find(b"\n", at)
        stop = len(data) if end < 0 else end + 1
        line = self._line + data[at:stop]
        if len(line) > self._line_room:
            raise RequestRefused(400, "a size line, or the trailer, is too long")
        if end < 0:
            self._line = line
            return stop
        if not line.endswith(b"\r\n"):
            raise RequestRefused(400, "a size or trailer line does not end with CRLF")
        self._line = b""
        self._state = self._state_after(line[:-2])
        return stop

    def _state_after(self, line: bytes) -> _State:
        """Return the state after a line.

        Raises: RequestRefused for a malformed line.
        """
        if self._state is _State.SIZE:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise RequestRefused(400, "the size of a chunk is malformed")
            self._missing = int(match[1], 16)
            if self._missing:
                return _State.DATA
            self._line_room = MAX_TRAILERS
            return _State.TRAILERS
        if self._state is _State.DATA_END:
            if line:
                raise RequestRefused(400, "a chunk is longer than its size line says")
            return _State.SIZE
        if not line:
            return _State.COMPLETE
        if _TRAILER.fullmatch(line) is None:
            raise RequestRefused(400, "a trailer line is malformed")
        self._line_room -= len(line) + len(b"\r\n")
        return _State.TRAILERS


def framing_of(length: int | None) -> Framing:
    """Return the framing of a body of `length` bytes, or of a body in chunks if it is `None`."""
    return Chunked() if length is None else Counted(length)
