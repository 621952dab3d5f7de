"""One connection: reads requests from its socket and has the application answer them one after another.

    socket ──► head ──► application ──► answer ──► socket        heads, framing       bytes to values
                  └──► body ──┘                                   body, sender         the two streams of an exchange

The states are a table in `states`. This module reads and writes the socket itself, without an asyncio transport: a
transport treats a half-closed client as a closed one, drops the answers to half-closed clients over TLS, and has
buffers whose size cannot be counted.
"""

import asyncio
import logging
import socket
from contextlib import suppress

from simple_registry.content import ContentInterrupted
from simple_registry.wire.answers import WITHOUT_CONTENT, Answer, Unsent, head_of
from simple_registry.wire.body import NO_BODY, ArrivingBody, NoBody
from simple_registry.wire.eager import start
from simple_registry.wire.exchange import BodyMalformed, BodyTooSlow, Client, ClientGone
from simple_registry.wire.heads import MAX_HEAD, MAX_TARGET, HeadParser, RequestHead, RequestRefused, cannot_become_head
from simple_registry.wire.sender import WOULD_WAIT, Sender
from simple_registry.wire.shared import FIRST_REQUEST_TIME, KIB, NEVER, Shared
from simple_registry.wire.states import TRANSITIONS, Event, State

READ_SIZE = 16 * KIB
"""Maximum bytes of one read where no body is expected, or when the budget is used up."""
BODY_READ_SIZE = 256 * KIB
"""The same of a body. It is large so that small chunks reach the handler together."""
TLS_READS = 16
"""TLS records, of 16 KiB each, read in one turn of the event loop."""
MAX_PIPELINED = 64 * KIB
"""Bytes of later requests that wait while one request is handled."""
REQUESTS_PER_TURN = 16
"""Pipelined requests started in one turn of the event loop."""
LINGER_TIME = 2.0
"""Seconds for the client to read its last answer and close."""
DRAIN_IDLE_TIME = 5.0
"""Seconds without a byte after which a refused client is assumed to have stopped sending."""

_UNFINISHED = frozenset({State.BODY, State.BROKEN})
"""States of a request whose body has not ended."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_NO_HEAD = RequestHead("", "", "", {}, "", 0, expects_continue=False, last=False)

_log = logging.getLogger(__name__)


class Connection:
    """One connection, from its first byte to its last; also the exchange that its application sees."""

    head: RequestHead

    def __init__(self, shared: Shared, sock: socket.socket, peer: str, *, secure: bool) -> None:
        """Serve requests from a non-blocking socket. The connection closes it."""
        self._shared = shared
        self._socket = sock
        self._fd = sock.fileno()
        self._sender = Sender(shared, sock, self._abort, secure=secure)
        self._parser = HeadParser()
        self._state = State.IDLE
        self._deadline = shared.loop.time() + shared.limits.header_timeout
        self._buffer = b""
        """Bytes that belong to no request yet."""
        self._is_reading = False
        self._new_until = shared.loop.time() + FIRST_REQUEST_TIME
        """When a connection without a request counts as idle."""
        self._ended = False
        """Whether the client has closed its sending side."""
        self._task: asyncio.Task[None] | None = None
        """The task of the current handler, once the handler has had to wait."""
        self._continued = False
        """Whether 100 Continue was sent for the current body."""
        self._answered = False
        """Whether the whole answer has been sent."""
        self._last = False
        """Whether this answer is the last one on the connection."""
        self._drain_left = 0
        """How many more bytes are read and dropped after the answer."""
        self._drain_until = 0.0
        self.peer = peer
        self.secure = secure
        self.client: Client = shared.find_client(peer, None)
        self.body: NoBody | ArrivingBody = NO_BODY
        self.cached: object = None

    # ---------------------------------------------------------------- what the server calls

    @property
    def deadline(self) -> float:
        """When `expire` is to be called."""
        return min(self._deadline, self.body.deadline, self._sender.deadline)

    def refuse(self, refused: RequestRefused) -> None:
        """Send a refusal, as much as the kernel accepts at once, and close."""
        if self._state is State.IDLE or self._state is State.HEAD:
            self._apply(Event.MALFORMED)
            self._send_refusal(refused)

    def stop(self) -> None:
        """Close an idle connection. On any other, the next answer is the last one."""
        if self._state is not State.IDLE or self._buffer:
            return
        if self._new_until > self._shared.loop.time():
            self._deadline = self._new_until
        else:
            self._abort()

    def expire(self) -> None:
        """Act on a deadline that has passed."""
        if self._sender.deadline < NEVER:
            if self._sender.is_overdue():
                self._abort()
        elif self._state is State.IDLE or self._state is State.LINGER:
            self._abort()
        elif self._state is State.HEAD:
            self._apply(Event.TIME_OUT)
            self._send_refusal(RequestRefused(408, "the head of the request did not arrive in time"))
        elif self._state is State.BODY:
            self._break_body(Event.TIME_OUT, BodyTooSlow(self._shared.limits.progress_period))

    # ---------------------------------------------------------------- reading

    def resume_reading(self) -> None:
        """Read from the socket."""
        if not self._is_reading and not self._ended and self._state is not State.CLOSED:
            self._shared.loop.add_reader(self._fd, self._on_readable)
            self._is_reading = True

    def pause_reading(self) -> None:
        """Stop reading from the socket."""
        if self._is_reading:
            self._shared.loop.remove_reader(self._fd)
            self._is_reading = False

    def _on_readable(self) -> None:
        size = READ_SIZE
        if self._state is State.BODY:
            size = BODY_READ_SIZE if self._shared.budget.has_room(self.client.account, BODY_READ_SIZE) else READ_SIZE
        for _ in range(TLS_READS if self.secure else 1):
            try:
                data = self._socket.recv(size)
            except WOULD_WAIT:
                return
            except OSError:
                self._abort()
                return
            if data:
                self._receive_bytes(data)
            else:
                self._receive_end()
            if not self._is_reading:
                return

    def _receive_bytes(self, data: bytes) -> None:
        state = self._state
        if state is State.IDLE or state is State.HEAD:
            self._buffer = self._buffer + data if self._buffer else data
            self._parse()
        elif state is State.BODY:
            self._feed(data)
        elif state is State.LINGER:
            self._discard(len(data))
        else:
            self._buffer += data
            if len(self._buffer) > MAX_PIPELINED:
                self.pause_reading()

    def _receive_end(self) -> None:
        """Handle the end of the client's stream. The client may still read."""
        self._ended = True
        self.pause_reading()
        state = self._state
        if state is State.BODY:
            self._break_body(Event.END, self._interrupted())
        elif state is State.COMPLETE:
            self._apply(Event.END)
        elif state is State.IDLE and self._buffer:
            pass  # requests pipelined before the end are still answered
        elif state is not State.BROKEN:
            self._abort(Event.END)

    def _feed(self, data: bytes) -> None:
        """Add bytes to the body of the current request."""
        body = self.body
        assert isinstance(body, ArrivingBody)  # noqa: S101 (always true in the state BODY)
        try:
            rest = body.feed(data)
        except RequestRefused as refused:
            self._break_body(Event.MALFORMED, BodyMalformed(body.received, refused.reason))
            return
        if body.complete:
            self._buffer = rest
            self._apply(Event.BODY_ENDED)

    def _break_body(self, event: Event, fault: Exception) -> None:
        """Have the handler get an error instead of the rest of the body."""
        self._apply(event)
        self.pause_reading()
        self.body.interrupt(fault)

    def _interrupted(self) -> ContentInterrupted:
        return ContentInterrupted(self.body.received, self.body.announced)

    # ---------------------------------------------------------------- requests

    def _parse(self) -> None:
        """Start the requests whose heads have arrived, one after another."""
        for _ in range(REQUESTS_PER_TURN):
            if not self._buffer or not self._parse_one():
                break
        else:
            # A client that pipelines must not keep other connections waiting.
            self.pause_reading()
            self._shared.loop.call_soon(self._parse)
            return
        if self._state is State.IDLE or self._state is State.HEAD:
            if self._ended:
                self._abort(Event.END)
            else:
                self.resume_reading()

    def _parse_one(self) -> bool:
        """Start the next request if its head has arrived; return whether another one can be started now."""
        if self._state is State.IDLE:
            self._apply(Event.BYTES)
            self._deadline = self._shared.loop.time() + self._shared.limits.header_timeout
        elif self._state is not State.HEAD:
            return False
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        try:
            if end < 4:  # noqa: PLR2004 (-1, not found, plus the length of the separator)
                self._check_partial_head()
                return False
            head = self._parser.parse(self._buffer[:end])
        except RequestRefused as refused:
            self.refuse(refused)
            return False
        self._buffer = self._buffer[end:]
        self._handle(head)
        return self._state is State.IDLE

    def _check_partial_head(self) -> None:
        """Refuse (RequestRefused) a partial head that is too large or cannot become valid."""
        if len(self._buffer) >= MAX_HEAD:
            if self._buffer.find(b"\r\n", 0, MAX_TARGET) < 0:
                raise RequestRefused(414, f"a request target may have at most {MAX_TARGET} bytes")
            raise RequestRefused(431, f"the head of a request may have at most {MAX_HEAD} bytes")
        if cannot_become_head(self._buffer):
            raise RequestRefused(400, "this is not HTTP/1.1; is it TLS, or are its line ends not CRLF?")

    def _handle(self, head: RequestHead) -> None:
        """Hand a request to the application."""
        self.head = head
        self._new_until = 0.0
        self._answered = self._continued = False
        self._deadline = NEVER
        self._drain_left = self._shared.limits.drain_size
        self.client = self._shared.find_client(self.peer, head)
        if head.length == 0:
            self.body = NO_BODY
            self._apply(Event.HEAD_WITHOUT_BODY)
        else:
            self.body = ArrivingBody(self, self._shared, self.client.account, head.length)
            self._apply(Event.HEAD_WITH_BODY)
            if self._buffer:
                data, self._buffer = self._buffer, b""
                self._feed(data)
            # A pipelined request may be parsed only after the client has closed its sending side.
            if self._ended and self._state is State.BODY:
                self._break_body(Event.END, self._interrupted())
        try:
            self._task = start(self._shared.loop, self._shared.application(self))
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 (a failed handler ends only its own connection)
            _log.exception("a handler failed")
            self._abort()
        if self._task is None:
            self._on_handled()
        else:
            self._task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._state is State.CLOSED:  # while the handler was running: report the end of that, too
            self._shared.on_closed(self)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a handler failed", exc_info=error)
        self._on_handled()
        if self._buffer and self._state is State.IDLE:
            self._parse()

    def _on_handled(self) -> None:
        """Continue after a handler has returned: with the next request, or with the end of the connection."""
        self.body.end()
        if self._state is State.CLOSED:
            return
        if not self._answered:
            self._abort()
            return
        self._apply(Event.ANSWERED_LAST if self._last else Event.ANSWERED)
        if self._state is State.IDLE:
            self._await_next()
        else:
            self._linger(sending=not self.body.complete)

    def _await_next(self) -> None:
        """Wait for the next request."""
        if not self._parser.has_cached(self.head.headers):
            self.cached, self.head = None, _NO_HEAD  # do not keep large heads while the connection is idle
        self._deadline = self._shared.loop.time() + self._shared.limits.idle_timeout
        if self._shared.stopping and not self._buffer:
            self._abort()
        elif not self._buffer:
            if self._ended:
                self._abort(Event.END)
            else:
                self.resume_reading()

    # ---------------------------------------------------------------- answers

    async def ask_for_body(self) -> None:
        """Send 100 Continue, once, to a client that expects it.

        Raises: ClientGone.
        """
        if self.head.expects_continue and not self._continued:
            self._continued = True
            await self._sender.write(_CONTINUE, self.client.account)

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        """Send the answer to the current request; return when the kernel has its last byte."""
        if self._state is State.BODY and not self.head.expects_continue:
            await self.body.begun()
        if self._state is State.CLOSED:
            raise ClientGone("the client left before the answer", started=False)
        self._last = self._is_last()
        content, size = answer.content, answer.size
        head = head_of(answer.status, answer.headers, size, last=self._last, further=further)
        if not size or self.head.method == "HEAD" or isinstance(content, Unsent) or answer.status in WITHOUT_CONTENT:
            content = b""
        await self._sender.send(head, content, self.client.account)
        self._answered = True

    def _is_last(self) -> bool:
        """Return whether this answer is the last one on the connection.

        It is while the body is incomplete: a proxy that has the answer may drop the rest of the body and send another
        client's request, which would be read as part of the body.
        """
        return self.head.last or self._shared.stopping or self._state in _UNFINISHED

    def _send_refusal(self, refused: RequestRefused) -> None:
        """Answer input that is not a request, as much as the kernel accepts at once, and close."""
        self.pause_reading()
        answer = self._shared.application.refuse(self.peer, refused)
        assert isinstance(answer.content, bytes)  # noqa: S101 (refusals have no streamed content)
        with suppress(OSError):
            self._socket.send(head_of(answer.status, answer.headers, answer.size, last=True) + answer.content)
        self._apply(Event.ANSWERED_LAST)
        self._buffer, self._drain_left = b"", self._shared.limits.drain_size
        self._linger(sending=True)

    # ---------------------------------------------------------------- the end

    def _linger(self, *, sending: bool) -> None:
        """Close the sending side, and give the client time to read the answer before the socket is closed.

        Closing a socket with unread input resets the connection, and a reset can overtake the answer. A client that may
        still be `sending` gets longer, up to the drain time-out.
        """
        if self.secure:
            with suppress(OSError, ValueError):
                self._socket.unwrap()  # type: ignore[attr-defined]
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        if self._ended:
            self._abort(Event.END)
            return
        time = self._shared.limits.drain_timeout if sending else LINGER_TIME
        self._drain_until = self._shared.loop.time() + time
        self._discard(0)
        self.resume_reading()

    def _discard(self, size: int) -> None:
        """Count dropped bytes; beyond the limit, stop reading and close at the next check of deadlines."""
        self._drain_left -= size
        if self._drain_left <= 0:
            self.pause_reading()
            self._deadline = 0.0
        else:
            self._deadline = min(self._drain_until, self._shared.loop.time() + DRAIN_IDLE_TIME)

    def _abort(self, event: Event = Event.LOST) -> None:
        """Close at once. A handler that waits for the body or the client is interrupted."""
        if self._state is State.CLOSED:
            return
        self._apply(event)
        self._deadline = NEVER
        self.pause_reading()
        self._sender.close()
        self._socket.close()
        self.body.interrupt(self._interrupted())
        self._shared.on_closed(self, handling=self._task is not None)

    def _apply(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state][event]
