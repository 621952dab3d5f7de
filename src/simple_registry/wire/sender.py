"""Sends the answers of one connection: from memory, from files by `sendfile`, and from streams of a store.

Bytes that the client does not read at once are kept in memory, within the budget. The client must read them at the
minimum rate.
"""

import asyncio
import errno
import fcntl
import os
import socket
import ssl
import struct
import termios
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing

from simple_registry.content import InMemory, LocalFile, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.wire.answers import Part, Parts
from simple_registry.wire.exchange import CannotSend, ClientGone
from simple_registry.wire.files import OpenFile, OpenFiles
from simple_registry.wire.progress import Progress
from simple_registry.wire.shared import KIB, NEVER, Shared

WRITE_SIZE = 64 * KIB
"""Maximum bytes of content that are sent together with the head, and of one piece of a file over TLS."""
SENDFILE_SIZE = 1024 * KIB
"""Maximum bytes of one call of `sendfile`."""
TURN_SIZE = 4 * SENDFILE_SIZE
"""Bytes that one answer may send before other connections get a turn."""

WOULD_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_INT = struct.Struct("i")
_MSG_MORE = getattr(socket, "MSG_MORE", 0)
_CANNOT_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class Sender:
    """Writes to the socket of one connection."""

    def __init__(self, shared: Shared, sock: socket.socket, abort: Callable[[], None], *, secure: bool) -> None:
        """Write to a non-blocking socket; call `abort` if that fails."""
        self._shared = shared
        self._socket = sock
        self._fd = sock.fileno()
        self._abort = abort
        self._secure = secure
        self._closed = False
        self._started = False
        """Whether bytes of the current answer have been sent."""
        self._progress: Progress | None = None
        """The client's progress in reading the current answer, once the sender has had to wait."""
        self._waiter: asyncio.Future[None] | None = None
        """Set while the sender waits for the client."""
        self.deadline = NEVER
        """When to call `is_overdue`."""
        self._queued = 0
        """Bytes in the kernel's send queue when the wait began."""

    def close(self) -> None:
        """Stop writing. A wait for the client ends with ClientGone."""
        self._closed = True
        self.deadline = NEVER
        self._shared.loop.remove_writer(self._fd)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(ClientGone("the client did not read the answer", started=self._started))

    async def send(self, head: bytes, content: bytes | Part | Parts, account: str | None) -> None:
        """Send an answer; memory for unread bytes is reserved under `account`.

        Raises: ClientGone; before the first byte has been sent: CannotSend, ContentGone, StorageFault.
        """
        self._started, self._progress = False, None
        match content:  # keyword patterns: positional ones take four times as long
            case Part(content=InMemory(data=data), span=span):
                content = data[span.start : span.stop]
        if not isinstance(content, bytes):
            await self._send_pieces(head, content.pieces if isinstance(content, Parts) else (content,), account)
        elif len(content) <= WRITE_SIZE:
            await self.write(head + content, account)
        else:
            await self._send_large(head, content, account)

    async def _send_large(self, head: bytes, content: bytes, account: str | None) -> None:
        """Send content from memory, reserved as a whole until the client has read it."""
        if not self._shared.budget.reserve(account, len(content)):
            raise CannotSend("too many bytes of earlier answers are unread")
        try:
            await self.write(head, account, more=True)
            await self._write_all(memoryview(content))
        finally:
            self._shared.budget.release(account, len(content))

    async def _send_pieces(self, before: bytes, pieces: Sequence[bytes | Part], account: str | None) -> None:
        """Send `before`, then the pieces in order, each in the fastest way for its kind.

        After the first byte, an error or missing content ends the connection, so that the client notices.
        """
        files = OpenFiles(self._shared)
        try:
            for piece in pieces:
                match piece:
                    case Part(content=LocalFile() as file):
                        files.open(file)  # all of them before the first byte, while an error can still be answered
            for piece in pieces:
                match piece:
                    case bytes():
                        before += piece
                        continue
                    case Part(content=LocalFile() as file, span=span):
                        await self._send_file(before, files.open(file), span, account)
                    case Part(content=content, span=span):
                        await self._send_stream(before, content.stream(span), span.size, account)
                before = b""
            if before:
                await self.write(before, account)
        except StorageFault as fault:
            if not self._started:
                raise
            raise self._gone(fault) from fault
        finally:
            files.close()

    # ---------------------------------------------------------------- content of a store

    async def _send_stream(
        self, before: bytes, stream: AsyncGenerator[bytes, None], size: int, account: str | None
    ) -> None:
        """Send a stream of a store; at most one piece waits in memory for the client."""
        sent = turn = 0
        async with aclosing(stream):
            async for piece in stream:
                sent += len(piece)
                if sent > size:
                    raise StorageFault("stream content", f"it has more than {size} bytes")
                # `before` waits for the first piece, so that an immediate failure of the store can still be answered.
                await self.write(before + piece, account)
                before = b""
                if sent - turn >= TURN_SIZE:
                    turn = sent
                    await asyncio.sleep(0)
        if sent < size:
            raise ContentGone("stream content", f"it ended after {sent} of {size} bytes")
        if before:
            await self.write(before, account)

    async def _send_file(self, before: bytes, file: OpenFile, span: Span, account: str | None) -> None:
        """Send a span of a file."""
        start, stop = span
        if self._secure or stop - start <= WRITE_SIZE:
            await self._copy(before, file, start, stop, account)
            return
        cached = turn = start
        while start < stop:
            if start >= cached:
                cached = min(stop, start + SENDFILE_SIZE)
                # Load it in a thread first: sendfile would block the event loop on the disk.
                if not file.is_cached(start, cached):
                    await self._load(file, start, cached - start)
            if before:
                await self.write(before, account, more=True)
                before = b""
            try:
                sent = self._sendfile(file, start, cached - start)
            except OSError as error:
                if error.errno not in _CANNOT_SENDFILE:
                    raise self._gone(error) from error
                await self._copy(b"", file, start, stop, account)
                return
            if not sent:
                await self._wait()
                turn = start
                continue
            start += sent
            if start - turn >= TURN_SIZE:
                turn = start
                await asyncio.sleep(0)

    def _sendfile(self, file: OpenFile, start: int, size: int) -> int:
        """Have the kernel send part of a file; return the bytes sent, 0 if the send queue is full.

        Raises: ClientGone, ContentGone, OSError.
        """
        self._require_open()
        try:
            sent = os.sendfile(self._fd, file.fd, start, size)
        except WOULD_WAIT:
            return 0
        if not sent:
            raise ContentGone("send content", "the file has been truncated")
        self._moved(sent)
        return sent

    async def _copy(self, before: bytes, file: OpenFile, start: int, stop: int, account: str | None) -> None:
        """Send a span of a file through memory, in pieces."""
        if start == stop:
            await self.write(before, account)
        turn = start
        while start < stop:
            size = min(WRITE_SIZE, stop - start)
            data = file.read_cached(start, size)
            if data is None:
                data = await self._load(file, start, size)
            await self.write(before + data, account)
            before = b""
            start += size
            if start - turn >= TURN_SIZE:
                turn = start
                await asyncio.sleep(0)

    async def _load(self, file: OpenFile, start: int, size: int) -> bytes:
        data: bytes = await self._shared.run(file.load, start, size)
        return data

    # ---------------------------------------------------------------- the socket

    async def write(self, data: bytes, account: str | None, *, more: bool = False) -> None:
        """Write bytes; with `more`, others follow at once and the kernel sends them together.

        Raises: ClientGone.
        """
        self._require_open()
        try:
            sent = self._socket.send(data, _MSG_MORE) if more and not self._secure else self._socket.send(data)
        except WOULD_WAIT:
            sent = 0
        except OSError as error:
            raise self._gone(error) from error
        self._started = self._started or sent > 0
        if sent == len(data):
            return
        size = len(data) - sent
        if not self._shared.budget.reserve(account, size):
            raise self._gone(
                OSError(errno.ENOBUFS, "the client does not read, and memory for unread answers is used up")
            )
        try:
            await self._write_all(memoryview(data)[sent:])
        finally:
            self._shared.budget.release(account, size)

    async def _write_all(self, view: memoryview) -> None:
        while view:
            self._require_open()
            try:
                sent = self._socket.send(view)
            except WOULD_WAIT:
                await self._wait()
                continue
            except OSError as error:
                raise self._gone(error) from error
            view = view[sent:]
            self._moved(sent)

    async def _wait(self) -> None:
        """Wait until the socket is writable; the deadline enforces the minimum rate."""
        loop, limits = self._shared.loop, self._shared.limits
        if self._progress is None:
            self._progress = Progress(period=limits.progress_period, rate=limits.min_rate)
        self.deadline = self._progress.wait(loop.time())
        self._queued = self._queue_size()
        self._waiter = waiter = loop.create_future()
        loop.add_writer(self._fd, _set, waiter)
        try:
            await waiter
        finally:
            self._waiter = None
            self.deadline = NEVER
            if not self._closed:  # otherwise the descriptor may already belong to another connection
                loop.remove_writer(self._fd)

    def is_overdue(self) -> bool:
        """Return whether the client is below the minimum rate; otherwise extend the deadline.

        The kernel reports a socket as writable only when a third of its queue is free, which can take longer than one
        period at the minimum rate. So bytes that have left the queue count as progress too.
        """
        queued = self._queue_size()
        if self._progress is not None and queued < self._queued:
            now = self._shared.loop.time()
            self._progress.moved(self._queued - queued, now)
            self._queued = queued
            self.deadline = self._progress.wait(now)
        return self.deadline <= self._shared.loop.time()

    def _queue_size(self) -> int:
        """Return the number of bytes in the kernel's send queue."""
        try:
            answer = fcntl.ioctl(self._fd, termios.TIOCOUTQ, bytes(_INT.size))
        except OSError:
            return 0
        return int(_INT.unpack(answer)[0])

    def _moved(self, size: int) -> None:
        self._started = True
        if self._progress is not None:
            self._progress.moved(size, self._shared.loop.time())

    def _require_open(self) -> None:
        if self._closed:
            raise ClientGone("the client left before the end of the answer", started=self._started)

    def _gone(self, error: OSError | StorageFault) -> ClientGone:
        """Close the connection, because the rest of the answer cannot be sent; return the error to raise."""
        self._abort()
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        return ClientGone(f"cannot send the answer: {reason}", started=self._started)


def _set(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
