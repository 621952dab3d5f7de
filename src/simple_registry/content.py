"""Content as it is read and sent: half-open spans, streams of bytes, and opened content of any kind.

A store opens content, which may be a file, an object of another server, or memory. Callers read all of it or stream a
span. Only `wire.sender` distinguishes files, which it sends faster.
"""

import asyncio
import errno
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from simple_registry.faults import ContentGone, StorageFault

PIECE = 64 * 1024
"""Bytes of a file or of memory that are streamed at a time."""

STEP = 1024 * 1024
"""Bytes of a file that `feed` reads at a time."""

# O_NONBLOCK and O_NOFOLLOW: a named pipe or a link may have replaced the file since its lookup.
_OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK

_THIS_FILE = frozenset(
    {errno.ENOENT, errno.EIO, errno.EACCES, errno.EPERM, errno.EBADMSG}
    | {errno.ELOOP, errno.EISDIR, errno.ESPIPE, errno.ENXIO}  # a file of another kind in its place
)
"""Errors of one file, unlike those such as too many open files."""


class Span(NamedTuple):
    """The bytes from `start` up to, but not including, `stop`. `http.ranges` has the inclusive form of HTTP."""

    start: int
    stop: int

    @property
    def size(self) -> int:
        """Number of bytes."""
        return self.stop - self.start


ByteStream = AsyncIterator[bytes]
"""Chunks of bytes in order; raises `ContentInterrupted` when the sender stops early."""


class Content(Protocol):
    """Opened content. Nothing is read before `read` or `stream` is called."""

    @property
    def size(self) -> int:
        """Number of bytes."""

    @property
    def version(self) -> Hashable:
        """A value that changes with the bytes or their place, so that content need not be verified twice."""

    @property
    def stamp(self) -> str:
        """A text that the row of verified bytes keeps: other bytes have another one. Empty if the store has none.

        Unlike `version`, it does not change with the names of a file.
        """

    @property
    def url(self) -> str | None:
        """A URL from which clients can fetch all of it for a while without credentials, or `None`."""

    async def read(self) -> bytes:
        """Return all bytes. Meant for small content.

        Raises: ContentGone, StorageFault.
        """

    async def feed(self, take: Callable[[bytes], None]) -> None:
        """Read all bytes and pass them to `take`, in order and in a thread.

        Raises: ContentGone, StorageFault.
        """

    def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield a span in pieces of at most 1 MiB. Closing the stream releases its resources.

        Raises: ContentGone, StorageFault; before the first piece if possible.
        """


@dataclass(frozen=True, slots=True)
class InMemory:
    """Content in memory."""

    data: bytes
    stamp: str = field(default="", init=False)
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

    async def feed(self, take: Callable[[bytes], None]) -> None:
        """Pass all of it to `take`."""
        await asyncio.to_thread(take, self.data)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it."""
        for start in range(span.start, span.stop, PIECE):
            yield self.data[start : min(start + PIECE, span.stop)]


@dataclass(frozen=True, slots=True)
class LocalFile:
    """Content in a file that does not change once it has its final name.

    `version` changes if another program replaces the file or writes to it.
    """

    path: str
    size: int
    version: Hashable = ()
    stamp: str = ""
    url: None = field(default=None, init=False)

    def open(self) -> int:
        """Return a descriptor of the file, which the caller closes. Waits for the disk only to look up the name.

        Raises: ContentGone, StorageFault.
        """
        try:
            return os.open(self.path, _OPEN_FLAGS)
        except OSError as error:
            raise file_fault(error) from error

    async def read(self) -> bytes:
        """Return all of it."""
        return await asyncio.to_thread(self._read)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        """Yield part of it."""
        fd = self.open()
        try:
            for start in range(span.start, span.stop, PIECE):
                yield await asyncio.to_thread(read_exactly, fd, start, min(PIECE, span.stop - start))
        finally:
            os.close(fd)

    async def feed(self, take: Callable[[bytes], None]) -> None:
        """Read all of it, in steps between which this can be cancelled, and pass it to `take`.

        Raises: ContentGone, StorageFault.
        """

        def step(start: int) -> None:
            take(read_exactly(fd, start, min(STEP, self.size - start)))

        fd = self.open()
        try:
            for start in range(0, self.size, STEP):
                await asyncio.to_thread(step, start)
        finally:
            os.close(fd)

    def _read(self) -> bytes:
        fd = self.open()
        try:
            return read_exactly(fd, 0, self.size)
        finally:
            os.close(fd)


def read_exactly(fd: int, start: int, size: int) -> bytes:
    """Return `size` bytes of an open file from `start`.

    Raises: ContentGone when the file is shorter; StorageFault.
    """
    try:
        data = os.pread(fd, size, start)
    except OSError as error:
        raise file_fault(error) from error
    if len(data) < size:
        raise ContentGone("read content", "its file has become shorter")
    return data


def file_fault(error: OSError) -> StorageFault:
    """Return ContentGone if only this file cannot be read, otherwise a StorageFault."""
    return (ContentGone if error.errno in _THIS_FILE else StorageFault)("read content", error)


class ContentInterrupted(Exception):
    """The sender stopped before the announced end."""

    def __init__(self, received: int, announced: int | None) -> None:
        """Keep the numbers of bytes received and announced (`None`: unknown)."""
        super().__init__(f"{received} of {announced} bytes received")
        self.received = received
        self.announced = announced
