"""One connection: reads requests from its socket, has them answered one after another, and writes the answers.

    socket ──► head ──► application ──► answer ──► socket
                  └──► body ──┘

`states` has the table of what follows what. The socket is ours alone: it is not given to a transport of the event
loop, since only then is the end of a request told from a reset, TLS treated as plain connections are, and nothing
buffered that is not counted.

A handler's first step runs at once, inside the read event; most answers are complete after it, and need no task.
"""

import asyncio
import errno
import logging
import math
import os
import socket
import ssl
import types
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from contextvars import copy_context
from typing import Any, Protocol

from simple_registry.content import ContentInterrupted
from simple_registry.wire.answers import Answer, FileSpan, OpenSpan, Parts, Unsent, head_of
from simple_registry.wire.budget import Budget
from simple_registry.wire.exchange import (
    Application,
    BodyMalformed,
    BodyTooSlow,
    CannotSend,
    Client,
    ClientGone,
    FindClient,
)
from simple_registry.wire.framing import Framing, framing_of
from simple_registry.wire.heads import MAX_HEAD, MAX_TARGET, HeadParser, RequestHead, RequestRefused, begins_badly
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.progress import Progress
from simple_registry.wire.states import HANDLED, TRANSITIONS, Event, State

KIB = 1024
HEAD_READ = 64 * KIB
"""Bytes that one read takes at most where no body is expected."""
BODY_READ = 256 * KIB
"""The same of a body."""
READ_AHEAD = 256 * KIB
"""Bytes of a body that wait for its handler before reading pauses."""
CROWDED_READ = 16 * KIB
"""The same when the budget is used up."""
MAX_PIPELINED = 64 * KIB
"""Bytes of later requests that wait while one is answered."""
REQUESTS_PER_TURN = 16
"""Pipelined requests that are begun in one turn of the event loop."""
ONE_WRITE = 64 * KIB
"""Bytes of the largest content that leaves together with its head, and of the pieces of a file over TLS."""
FILE_PIECE = 1024 * KIB
"""Bytes of a file that the kernel is told to send at a time."""
TURN = 4 * FILE_PIECE
"""Bytes that one answer may send without giving other connections a turn."""
TLS_READS = 16
"""TLS records that are read in one turn."""
LINGER = 2.0
"""Seconds for the client to read its last answer and close."""
DRAIN_IDLE = 5.0
"""Seconds without a byte after which a client that was refused is taken to have stopped sending."""
NEVER = math.inf

_MORE = getattr(socket, "MSG_MORE", 0)
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CANNOT_SENDFILE = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})
_WAIT = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)

_log = logging.getLogger(__name__)


class Server(Protocol):
    """What the connections of a worker share."""

    loop: asyncio.AbstractEventLoop
    application: Application
    limits: WireLimits
    budget: Budget
    find_client: FindClient
    stopping: bool
    open_files: int

    def run(self, call: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        """Make a call in a thread."""
        ...

    def may_open(self) -> bool:
        """Return whether another descriptor may be opened."""
        ...

    def closed_one(self, connection: "Connection") -> None:
        """Take note that a connection closed."""
        ...


class NoBody:
    """The body of a request without one."""

    announced: int | None = 0
    received = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield nothing."""
        chunks: tuple[bytes, ...] = ()
        for chunk in chunks:
            yield chunk

    def hold(self, size: int) -> bool:
        """Return whether nothing is to be held."""
        return not size


NO_BODY = NoBody()


class ArrivingBody:
    """The body of the present request of a connection."""

    def __init__(self, connection: "Connection", announced: int | None) -> None:
        """Read what arrives on `connection`."""
        self._connection = connection
        self.announced = announced
        self.received = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks.

        Raises: ContentInterrupted, BodyTooSlow.
        """
        while pieces := await self._connection.receive():
            for piece in pieces:
                yield piece

    def hold(self, size: int) -> bool:
        """Count bytes that the handler keeps in memory until it ends; return whether there is room for them."""
        return self._connection.hold(size)


class Connection:
    """One connection, from its first byte to its last."""

    __slots__ = (
        "_answered",
        "_begun",
        "_buffer",
        "_continued",
        "_drain_left",
        "_drain_until",
        "_ended",
        "_fault",
        "_fd",
        "_framing",
        "_held",
        "_kept",
        "_is_reading",
        "_last",
        "_parser",
        "_pieces",
        "_reader",
        "_receiving",
        "_sending",
        "_server",
        "_socket",
        "_state",
        "_task",
        "_writer",
        "body",
        "client",
        "deadline",
        "head",
        "memo",
        "peer",
        "secure",
    )

    body: NoBody | ArrivingBody
    head: RequestHead

    def __init__(self, server: Server, sock: socket.socket, peer: str, *, secure: bool) -> None:
        """Serve requests that arrive on a non-blocking socket, which the connection closes."""
        self._server = server
        self._socket = sock
        self._fd = sock.fileno()
        self.peer = peer
        self.client: Client = server.find_client(peer, None)
        self.secure = secure
        self.memo: object = None
        self._state = State.IDLE
        self._parser = HeadParser()
        self._buffer = b""
        """Bytes that no request has claimed yet."""
        self._ended = False
        """Whether the client has closed its sending side."""
        self._is_reading = False
        self._task: asyncio.Task[None] | None = None
        self.deadline = server.loop.time() + server.limits.header_timeout
        """When `expire` is to be called."""
        # The present request:
        self.body = NO_BODY
        self._framing: Framing | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        """Bytes of `_pieces` that the budget knows of."""
        self._kept = 0
        """Bytes that its handler keeps."""
        self._fault: Exception | None = None
        """Why the body will never be whole."""
        self._receiving: Progress | None = None
        self._sending: Progress | None = None
        self._reader: asyncio.Future[None] | None = None
        """Set while the handler waits for bytes of the body."""
        self._writer: asyncio.Future[None] | None = None
        """Set while an answer waits for the client to read."""
        self._continued = False
        self._begun = False
        """Whether bytes of the answer have left."""
        self._answered = False
        """Whether all of them have."""
        self._last = False
        """Whether the connection ends with this answer."""
        self._drain_left = 0
        self._drain_until = 0.0

    # ---------------------------------------------------------------- what the server calls

    def begin(self) -> None:
        """Begin to read."""
        self._resume_reading()

    def refuse(self, refused: RequestRefused) -> None:
        """Answer what arrives with a refusal, and close."""
        self._move(Event.MALFORMED)
        self._answer_refusal(refused)

    def stop(self) -> None:
        """Close the connection if nothing is under way on it; otherwise its next answer is the last one."""
        if self._state is State.IDLE and not self._buffer:
            self._lose()

    def expire(self) -> None:
        """End what has been waited for until the deadline."""
        if self._writer is not None or self._state is State.IDLE or self._state is State.LINGER:
            self._lose()
        elif self._state is State.HEAD:
            self._move(Event.TIME_OUT)
            self._answer_refusal(RequestRefused(408, "the head of a request did not arrive in time"))
        elif self._state is State.DRAIN:
            self._move(Event.TIME_OUT)
            self._linger(sending=False)
        elif self._state is State.BODY:
            self._break(Event.TIME_OUT, BodyTooSlow(self._server.limits.progress_period))

    # ---------------------------------------------------------------- reading

    def _on_readable(self) -> None:
        size = HEAD_READ
        if self._state is State.BODY:
            size = BODY_READ if self._server.budget.has_room(BODY_READ) else CROWDED_READ
        for _ in range(TLS_READS if self.secure else 1):
            try:
                data = self._socket.recv(size)
            except _WAIT:
                return
            except OSError:
                self._lose()
                return
            if data:
                self._take(data)
            else:
                self._end()
            if not self._is_reading:
                return

    def _take(self, data: bytes) -> None:
        state = self._state
        if state is State.IDLE or state is State.HEAD:
            self._buffer = self._buffer + data if self._buffer else data
            self._parse()
        elif state is State.BODY or state is State.DRAIN:
            self._feed(data)
            if self._state is State.IDLE and self._buffer:
                self._parse()
        elif state is State.LINGER:
            self._drop(len(data))
        else:
            self._buffer += data
            if len(self._buffer) > MAX_PIPELINED:
                self._pause_reading()

    def _end(self) -> None:
        """Take note that the client sends nothing more; it may still read."""
        self._ended = True
        self._pause_reading()
        state = self._state
        if state is State.BODY:
            self._break(Event.END, ContentInterrupted(self.body.received, self.body.announced))
        elif state is State.WHOLE:
            self._move(Event.END)
        elif state is State.IDLE and self._buffer:
            pass  # requests that were pipelined before the end wait for their turn
        elif state is not State.BROKEN:
            self._lose(Event.END)

    def _parse(self) -> None:
        """Begin the requests whose heads have arrived, one after another."""
        for _ in range(REQUESTS_PER_TURN):
            if not self._buffer or not self._parse_one():
                break
        else:
            # A client that pipelines must not keep other connections waiting.
            self._pause_reading()
            self._server.loop.call_soon(self._parse)
            return
        if self._state is State.IDLE or self._state is State.HEAD:
            if self._ended:
                self._lose(Event.END)
            else:
                self._resume_reading()

    def _parse_one(self) -> bool:
        """Begin the next request if its head has arrived; return whether another may follow in this turn."""
        if self._state is State.IDLE:
            self._move(Event.BYTES)
            self.deadline = self._server.loop.time() + self._server.limits.header_timeout
        elif self._state is not State.HEAD:
            return False
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        try:
            if end < 4:  # noqa: PLR2004 (the length of what was looked for)
                self._require_head_so_far()
                return False
            head = self._parser.parse(self._buffer[:end])
        except RequestRefused as refused:
            self.refuse(refused)
            return False
        self._buffer = self._buffer[end:]
        self._handle(head)
        return self._state is State.IDLE

    def _require_head_so_far(self) -> None:
        """Refuse the beginning of a head that cannot become one.

        Raises: RequestRefused.
        """
        if len(self._buffer) >= MAX_HEAD:
            if self._buffer.find(b"\r\n", 0, MAX_TARGET) < 0:
                raise RequestRefused(414, f"a request target may have {MAX_TARGET} bytes")
            raise RequestRefused(431, f"the head of a request may have {MAX_HEAD} bytes")
        if begins_badly(self._buffer):
            raise RequestRefused(400, "this is not HTTP/1.1; is it TLS, or are its line ends not CRLF?")

    # ---------------------------------------------------------------- bodies

    def _feed(self, data: bytes) -> None:
        """Take bytes of a body, which its handler reads, or which are dropped after it was answered."""
        framing = self._framing
        assert framing is not None  # noqa: S101 (states BODY and DRAIN have one)
        try:
            pieces, rest = framing.feed(data)
        except RequestRefused as refused:
            self._break(Event.MALFORMED, BodyMalformed(self.body.received, refused.reason))
            return
        size = sum(map(len, pieces))
        self.body.received += size
        if self._state is State.DRAIN:
            self._drop(len(data))
        elif size:
            self._keep(pieces, size)
        if framing.complete and self._state in (State.BODY, State.DRAIN):
            self._buffer = rest
            was_draining = self._state is State.DRAIN
            self._move(Event.BODY_ENDED)
            if was_draining:
                self._next()
        self._wake_reader()

    def _keep(self, pieces: Sequence[bytes], size: int) -> None:
        """Keep pieces for the handler; reading pauses when it lags, or when the budget is used up."""
        self._pieces += pieces
        if self._receiving is not None:
            self._receiving.moved(size, self._server.loop.time())
        if self._server.budget.take(self.client.account, size):
            self._held += size
            if self._held >= READ_AHEAD:
                self._pause_reading()
        else:
            self._pause_reading()

    async def receive(self) -> Sequence[bytes]:
        """Return the bytes of the body that have arrived since the last call; none after the end.

        Raises: ContentInterrupted, BodyTooSlow.
        """
        while not self._pieces and self._fault is None:
            framing = self._framing
            if framing is None or framing.complete:
                return ()
            if self.head.expects_continue and not self._continued:
                self._continued = True
                if not self.body.received:
                    await self._write(_CONTINUE)
                    continue
            await self._wait_for_bytes()
        if self._fault is not None:
            raise self._fault
        pieces, self._pieces = self._pieces, []
        self._release()
        return pieces

    async def _wait_for_bytes(self) -> None:
        loop, limits = self._server.loop, self._server.limits
        if self._receiving is None:
            self._receiving = Progress(period=limits.progress_period, rate=limits.min_rate)
        # Paused readers hear of nothing, not even of a reset.
        self._resume_reading()
        self.deadline = self._receiving.wait(loop.time())
        self._reader = loop.create_future()
        try:
            await self._reader
        finally:
            self._reader = None
            if self._state in HANDLED:
                self.deadline = NEVER

    def hold(self, size: int) -> bool:
        """Count bytes that the handler keeps in memory until it ends; return whether there is room for them."""
        if not self._server.budget.take(self.client.account, size):
            return False
        self._kept += size
        return True

    def _wake_reader(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    def _break(self, event: Event, fault: Exception) -> None:
        """Take note that the body will never be whole; its handler learns it before it acts."""
        self._move(event)
        if self._state is State.LINGER:
            self._linger(sending=True)
        else:
            self._fault = fault
            self.deadline = NEVER
            self._pause_reading()
            self._wake_reader()

    def _release(self) -> None:
        """Give back what the budget holds for pieces, and go on reading."""
        if self._held:
            self._server.budget.release(self.client.account, self._held)
            self._held = 0
        if self._state is State.BODY:
            self._resume_reading()

    # ---------------------------------------------------------------- handling

    def _handle(self, head: RequestHead) -> None:
        """Hand a request to the application."""
        self.head = head
        self._answered = self._continued = False
        self._fault = self._receiving = self._sending = None
        self._drain_left = self._server.limits.drain_size
        self.deadline = NEVER
        self.client = self._server.find_client(self.peer, head)
        if head.length == 0:
            self.body, self._framing = NO_BODY, None
            self._move(Event.HEAD_ALONE)
        else:
            self.body, self._framing = ArrivingBody(self, head.length), framing_of(head.length)
            self._move(Event.HEAD_WITH_BODY)
            if self._buffer:
                data, self._buffer = self._buffer, b""
                self._feed(data)
            if self._ended and self._state is State.BODY:
                self._break(Event.END, ContentInterrupted(self.body.received, self.body.announced))
        self._run(self._server.application(self))

    def _run(self, handling: Coroutine[Any, Any, None]) -> None:
        """Run the first step of a handler; only one that waits for something gets a task."""
        context = copy_context()
        try:
            awaited = context.run(handling.send, None)
        except StopIteration:
            self._handled()
        except (Exception, asyncio.CancelledError):
            _log.exception("a handler failed")
            self._handled()
        else:
            self._task = self._server.loop.create_task(_go_on(handling, awaited), context=context)
            self._task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a handler failed", exc_info=error)
        self._handled()
        if self._buffer and self._state is State.IDLE:
            self._parse()

    def _handled(self) -> None:
        """Go on after a handler has ended."""
        self._pieces.clear()
        self._held += self._kept
        self._kept = 0
        self._release()
        if self._is_closed:
            return
        if not self._answered:
            self._lose()
            return
        self._move(Event.ANSWERED_LAST if self._last else Event.ANSWERED)
        if self._state is State.IDLE:
            self._next()
        elif self._state is State.DRAIN:
            self._drain_until = self._server.loop.time() + self._server.limits.drain_timeout
            self._drop(0)
        else:
            self._linger(sending=self._framing is not None and not self._framing.complete)

    def _next(self) -> None:
        """Wait for the next request."""
        limits = self._server.limits
        self.deadline = self._server.loop.time() + limits.idle_timeout
        if self._server.stopping and not self._buffer:
            self._lose()
        elif not self._buffer:
            if self._ended:
                self._lose(Event.END)
            else:
                self._resume_reading()

    # ---------------------------------------------------------------- the end

    def _linger(self, *, sending: bool) -> None:
        """Close our sending side, and let the client read its answer before the socket is closed.

        A socket that is closed while bytes wait unread on it resets the connection, and the reset overtakes the answer.
        A client that may still be `sending` is given the time to finish that a refused body is given.
        """
        if self.secure:
            with suppress(OSError, ValueError):
                self._socket.unwrap()  # type: ignore[attr-defined]
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        if self._ended:
            self._lose(Event.END)
            return
        patience = self._server.limits.drain_timeout if sending else LINGER
        self._drain_until = self._server.loop.time() + patience
        self._drop(0)
        self._resume_reading()

    def _drop(self, size: int) -> None:
        """Count bytes that are read only so that the client comes to read its answer, within bounds."""
        self._drain_left -= size
        if self._drain_left <= 0:
            self._pause_reading()
            self.deadline = 0.0
        else:
            self.deadline = min(self._drain_until, self._server.loop.time() + DRAIN_IDLE)

    def _lose(self, event: Event = Event.GONE) -> None:
        """Close at once; whoever waits on this connection learns it."""
        if not self._is_closed:
            self._move(event)
            if not self._is_closed:
                self._move(Event.GONE)
            self._close()

    def _close(self) -> None:
        """Close the socket."""
        self.deadline = NEVER
        loop = self._server.loop
        self._pause_reading()
        loop.remove_writer(self._fd)
        self._socket.close()
        self._fault = self._fault or ContentInterrupted(self.body.received, self.body.announced)
        self._wake_reader()
        if self._writer is not None and not self._writer.done():
            self._writer.set_exception(ClientGone("the client did not read its answer", begun=self._begun))
        if self._task is None:
            self._pieces.clear()
            self._release()
        self._server.closed_one(self)

    def _move(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state][event]

    @property
    def _is_closed(self) -> bool:
        return self._state is State.CLOSED

    def _resume_reading(self) -> None:
        if not self._is_reading and not self._ended and not self._is_closed:
            self._server.loop.add_reader(self._fd, self._on_readable)
            self._is_reading = True

    def _pause_reading(self) -> None:
        if self._is_reading:
            self._server.loop.remove_reader(self._fd)
            self._is_reading = False

    # ---------------------------------------------------------------- answers

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        """Send the one answer to the present request; return when the kernel has its last byte.

        Raises: CannotSend, ClientGone.
        """
        if self._is_closed:
            raise ClientGone("the client left before its answer", begun=False)
        self._last = self._is_last()
        self._begun = False
        content = answer.content
        size = answer.size
        head = head_of(answer.status, answer.headers, size, last=self._last, further=further)
        if self.head.method == "HEAD" or isinstance(content, Unsent) or size == 0:
            await self._write(head)
        elif isinstance(content, bytes):
            if size <= ONE_WRITE:
                await self._write(head + content)
            else:
                await self._send_bytes(head, content)
        else:
            await self._send_files(head, content)
        self._answered = True

    def _is_last(self) -> bool:
        """Return whether the connection ends with this answer."""
        if self.head.last or self._server.stopping or self._state is State.BROKEN:
            return True
        if self._state is not State.BODY:
            return False
        if self.head.expects_continue and not self._continued:
            return True  # what comes next is a body or a request, as the client likes
        length = self.head.length
        return length is not None and length - self.body.received > self._server.limits.drain_size

    def _answer_refusal(self, refused: RequestRefused) -> None:
        """Send the answer to what never became a request, as far as the kernel takes it at once."""
        self._pause_reading()
        answer = self._server.application.refuse(self.peer, refused)
        content = answer.content
        assert isinstance(content, bytes)  # noqa: S101 (an error document is small)
        with suppress(OSError):
            self._socket.send(head_of(answer.status, answer.headers, answer.size, last=True) + content)
        self._move(Event.ANSWERED_LAST)
        self._buffer, self._drain_left = b"", self._server.limits.drain_size
        self._linger(sending=True)

    async def _send_bytes(self, head: bytes, content: bytes) -> None:
        account, size = self.client.account, len(content)
        if not self._server.budget.take(account, size):
            raise CannotSend("too much of earlier answers has not been read")
        try:
            await self._write(head, more=True)
            await self._write_all(memoryview(content))
        finally:
            self._server.budget.release(account, size)

    async def _send_files(self, head: bytes, content: FileSpan | Parts) -> None:
        pieces = content.pieces if isinstance(content, Parts) else (content,)
        opened: dict[str, OpenSpan] = {}
        try:
            for piece in pieces:
                if isinstance(piece, FileSpan) and piece.file.path not in opened:
                    opened[piece.file.path] = self._open(piece)
            before = head
            for piece in pieces:
                if isinstance(piece, bytes):
                    before += piece
                else:
                    await self._send_span(before, opened[piece.file.path], piece.span.start, piece.span.stop)
                    before = b""
            if before:
                await self._write(before)
        except OSError as error:
            if self._begun:
                raise self._gone(error) from error
            raise CannotSend(f"a file cannot be read: {error.strerror}") from error
        finally:
            for span in opened.values():
                span.close()
                self._server.open_files -= 1

    def _open(self, piece: FileSpan) -> OpenSpan:
        """Open a file of an answer.

        Raises: CannotSend.
        """
        if not self._server.may_open():
            raise CannotSend("too many files are open")
        try:
            span = OpenSpan(piece)
        except OSError as error:
            raise CannotSend(f"a file cannot be opened: {error.strerror}") from error
        self._server.open_files += 1
        return span

    async def _send_span(self, before: bytes, file: OpenSpan, start: int, stop: int) -> None:
        """Send some bytes, and then part of a file."""
        if stop - start <= ONE_WRITE:
            data = file.read_cached(start, stop - start)
            if data is None:
                data = await self._load(file, start, stop - start)
            await self._write(before + data)
        elif self.secure:
            await self._write_span(before, file, start, stop)
        else:
            await self._sendfile(before, file, start, stop)

    async def _write_span(self, before: bytes, file: OpenSpan, start: int, stop: int) -> None:
        """Send part of a file through memory, piece by piece."""
        while start < stop:
            size = min(ONE_WRITE, stop - start)
            data = file.read_cached(start, size)
            if data is None:
                data = await self._load(file, start, size)
            await self._write(before + data)
            before = b""
            start += size

    async def _load(self, file: OpenSpan, start: int, size: int) -> bytes:
        data: bytes = await self._server.run(file.load, start, size)
        if len(data) < size:
            raise OSError(errno.EIO, "a file is shorter than its content was")
        return data

    async def _sendfile(self, before: bytes, file: OpenSpan, start: int, stop: int) -> None:
        """Write some bytes, and have the kernel send part of a file after them.

        Each piece is brought into memory first: the call would wait for the disk, on the event loop.
        """
        cached, turn = start, start
        while start < stop:
            piece = min(stop, start + FILE_PIECE)
            if start >= cached:
                if not file.is_cached(start, piece):
                    await self._load(file, start, piece - start)
                cached = piece
            if before:
                await self._write(before, more=True)
                before = b""
            if self._is_closed:
                raise ClientGone("the client left before the end of its answer", begun=self._begun)
            try:
                sent = os.sendfile(self._fd, file.fd, start, min(cached, piece) - start)
            except BlockingIOError:
                await self._wait_for_reader()
                turn = start
                continue
            except OSError as error:
                if error.errno in _CANNOT_SENDFILE:
                    await self._write_span(b"", file, start, stop)
                    return
                raise self._gone(error) from error
            if not sent:
                raise OSError(errno.EIO, "a file is shorter than its content was")
            start += sent
            if self._sending is not None:
                self._sending.moved(sent, self._server.loop.time())
            if start - turn >= TURN:
                turn = start
                await asyncio.sleep(0)

    async def _write(self, data: bytes, *, more: bool = False) -> None:
        """Write bytes; `more` says that others follow at once, so that the kernel sends them together.

        Raises: ClientGone.
        """
        if self._is_closed:
            raise ClientGone("the client left before the end of its answer", begun=self._begun)
        try:
            sent = self._socket.send(data, _MORE) if more and not self.secure else self._socket.send(data)
        except _WAIT:
            sent = 0
        except OSError as error:
            raise self._gone(error) from error
        self._begun = self._begun or sent > 0
        if sent == len(data):
            return
        # What the client does not take at once is held for it, and counted.
        account, size = self.client.account, len(data) - sent
        if not self._server.budget.take(account, size):
            raise self._gone(OSError(errno.ENOBUFS, "the client does not read, and there is no room to wait for it"))
        try:
            await self._write_all(memoryview(data)[sent:])
        finally:
            self._server.budget.release(account, size)

    async def _write_all(self, view: memoryview) -> None:
        while view:
            if self._is_closed:
                raise ClientGone("the client left before the end of its answer", begun=self._begun)
            try:
                sent = self._socket.send(view)
            except _WAIT:
                await self._wait_for_reader()
                continue
            except OSError as error:
                raise self._gone(error) from error
            view = view[sent:]
            if self._sending is not None:
                self._sending.moved(sent, self._server.loop.time())

    async def _wait_for_reader(self) -> None:
        """Wait until the client has read some of what was sent, at the least rate."""
        loop, limits = self._server.loop, self._server.limits
        if self._sending is None:
            self._sending = Progress(period=limits.progress_period, rate=limits.min_rate)
        self.deadline = self._sending.wait(loop.time())
        self._writer = waiter = loop.create_future()
        loop.add_writer(self._fd, _set, waiter)
        try:
            await waiter
        finally:
            self._writer = None
            if not self._is_closed:
                loop.remove_writer(self._fd)
                self.deadline = NEVER

    def _gone(self, error: OSError) -> ClientGone:
        """Close the connection after a failed write; return what to raise."""
        self._lose()
        return ClientGone(f"the answer could not be sent: {error.strerror or error}", begun=self._begun)


def _set(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


@types.coroutine
def _go_on(handling: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Go on with a coroutine whose first step has been made and yielded `awaited`, as the rest of it would."""
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 (it belongs to the coroutine: a cancellation, most likely)
            step: Callable[[], object] = lambda error=error: handling.throw(error)  # type: ignore[misc]
        else:
            step = lambda: handling.send(None)  # noqa: E731
        try:
            awaited = step()
        except StopIteration:
            return
