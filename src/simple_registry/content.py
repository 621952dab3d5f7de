"""Content on its way in and out: half-open spans, byte streams, and parts of files that never pass through Python."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Span(NamedTuple):
    """The bytes from `start` up to, not including, `stop`; the wire's inclusive form lives in `http.ranges`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class FileContent:
    """Content in a file that is never changed once it has its name.

    `version` tells the file from one that somebody put in its place, or wrote to, all the same.
    """

    path: str
    size: int
    version: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)


Content = FileContent | BytesContent

ByteStream = AsyncIterator[bytes]
"""Chunks of bytes in order; raises `ContentInterrupted` when the sender breaks off."""


class ContentInterrupted(Exception):
    """The sender stopped before it had sent what it announced."""

    def __init__(self, received: int, announced: int | None) -> None:
        """Keep how many bytes came and how many were announced (`None`: unknown)."""
        super().__init__(f"{received} of {announced} bytes received")
        self.received = received
        self.announced = announced


async def stream_of(*chunks: bytes) -> AsyncIterator[bytes]:
    """Yield `chunks` as a stream."""
    for chunk in chunks:
        yield chunk


async def read_content(content: Content) -> bytes:
    """Return all of some small content."""
    if isinstance(content, BytesContent):
        return content.data
    return await asyncio.to_thread(Path(content.path).read_bytes)
