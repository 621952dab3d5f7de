"""Content on its way in and out: half-open spans, streams of bytes, and content as what can be done with it.

A store opens content, and only the store knows what that is: a file, an object of another server, memory. All of it
can be read whole and streamed in part. `wire.sender` knows a faster way for files; it is the only place that asks.
"""

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from simple_registry.faults import ContentGone, StorageFault

PIECE = 64 * 1024
"""Bytes of a file or of memory that are streamed at a time."""

# O_NONBLOCK and O_NOFOLLOW: a named pipe or a link may have taken the file's name since it was looked up.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_THIS_FILE = frozenset(
    {errno.ENOENT, errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG}
    | {errno.ELOOP, errno.EISDIR, errno.ESPIPE, errno.ENXIO}  # another kind of file has its name
)
"""Errors that are about one file; others, such as too many open files, are not."""


class Span(NamedTuple):
    """The bytes from `start` up to, not including, `stop`; the wire's inclusive form lives in `http.ranges`."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


ByteStream = AsyncIterator[bytes]
"""Chunks of bytes in order; raises `ContentInterrupted` when the sender breaks off."""


class Content(Protocol):
    """Content that a store opened. Nothing of it is read before `read` or `stream` is called."""

    @property
    def size(self) -> int:
        """Number of bytes."""
        ...

    @property
    def version(self) -> Hashable:
        """Equal only for the same bytes in the same place: what was verified once need not be verified again."""
        ...

    @property
    def url(self) -> str | None:
        """Where clients may fetch all of it themselves, for a while, without credentials; `None` when only here."""
        ...

    async def read(self) -> bytes:
        """Return all of it, which is for small content.

        Raises: ContentGone, StorageFault.
        """
        ...

    def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it in pieces of at most 1 MiB; closing the stream gives up what it holds.

        Raises: ContentGone, StorageFault; before the first piece whenever that can be.
        """
        ...


@dataclass(frozen=True, slots=True)
class InMemory:
    """Content in memory."""

    data: bytes
    url: None = field(default=None, init=False)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return len(self.data)

    @property
    def version(self) -> Hashable:
        """The bytes themselves."""
        return self.data

    async def read(self) -> bytes:
        """Return all of it."""
        return self.data

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it."""
        for start in range(span.start, span.stop, PIECE):
            yield self.data[start : min(start + PIECE, span.stop)]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Content in a file that is never changed once it has its name.

    `version` differs for a file that took its name, or was written to, behind our back.
    """

    path: str
    size: int
    version: Hashable = ()
    url: None = field(default=None, init=False)

    def open(self) -> int:
        """Return a descriptor of the file, which the caller closes. Waits for no disk but to look the name up.

        Raises: ContentGone, StorageFault.
        """
        try:
            return os.open(self.path, _OPEN_FLAGS)
        except OSError as error:
            raise file_fault(error) from error

    async def read(self) -> bytes:
        """Return all of it.

        Raises: ContentGone, StorageFault.
        """
        return await asyncio.to_thread(self._read)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it.

        Raises: ContentGone, StorageFault.
        """
        fd = self.open()
        try:
            for start in range(span.start, span.stop, PIECE):
                yield await asyncio.to_thread(read_exactly, fd, start, min(PIECE, span.stop - start))
        finally:
            os.close(fd)

    def _read(self) -> bytes:
        fd = self.open()
        try:
            return read_exactly(fd, 0, self.size)
        finally:
            os.close(fd)


def read_exactly(fd: int, start: int, size: int) -> bytes:
    """Return bytes of an open file, from the disk if need be.

    Raises: ContentGone when the file is shorter; StorageFault.
    """
    try:
        data = os.pread(fd, size, start)
    except OSError as error:
        raise file_fault(error) from error
    if len(data) < size:
        raise ContentGone("read content", "its file is shorter than it was")
    return data


def file_fault(error: OSError) -> StorageFault:
    """Return ContentGone when it is only this file that cannot be read, otherwise a StorageFault."""
    return (ContentGone if error.errno in _THIS_FILE else StorageFault)("read content", error)


class ContentInterrupted(Exception):
    """The sender stopped before it had sent what it announced."""

    def __init__(self, received: int, announced: int | None) -> None:
        """Keep how many bytes came and how many were announced (`None`: unknown)."""
        super().__init__(f"{received} of {announced} bytes received")
        self.received = received
        self.announced = announced


async def stream_of(*chunks: bytes) -> ByteStream:
    """Yield `chunks` as a stream."""
    for chunk in chunks:
        yield chunk
