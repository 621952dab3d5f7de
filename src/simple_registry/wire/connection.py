"""One connection: reads requests from its socket, has them answered one after another, and ends.

    socket ──► head ──► application ──► answer ──► socket        heads, framing       bytes to values
                  └──► body ──┘                                   body, sender         the two streams of an exchange

`states` has the table of what follows what. The socket is read and written here, not by a transport of the event loop:
a transport does not distinguish a half-closed client from one that is gone, drops answers of half-closed clients over
TLS, and buffers without a bound that we could count.
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
from simple_registry.wire.heads import MAX_HEAD, MAX_TARGET, HeadParser, RequestHead, RequestRefused, begins_badly
from simple_registry.wire.sender import WOULD_WAIT, Sender
from simple_registry.wire.shared import KIB, NEVER, Shared
from simple_registry.wire.states import TRANSITIONS, Event, State

SMALL_READ = 16 * KIB
"""Bytes that one read takes at most where no body is expected, or when the budget is used up."""
BODY_READ = 256 * KIB
"""The same of a body. Bodies in small chunks are so gathered before they reach a handler."""
TLS_READS = 16
"""TLS records, of 16 KiB each, that are read in one turn."""
MAX_PIPELINED = 64 * KIB
"""Bytes of later requests that wait while one is answered."""
REQUESTS_PER_TURN = 16
"""Pipelined requests that are begun in one turn of the event loop."""
LINGER = 2.0
"""Seconds for the client to read its last answer and close."""
DRAIN_IDLE = 5.0
"""Seconds without a byte after which a client that was refused is taken to have stopped sending."""

_UNFINISHED = frozenset({State.BODY, State.BROKEN})
"""States of a request whose body has not ended."""
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_NO_HEAD = RequestHead("", "", "", {}, "", 0, expects_continue=False, last=False)

_log = logging.getLogger(__name__)


class Connection:
    """One connection, from its first byte to its last; also the exchange that its application sees."""

    head: RequestHead

    def __init__(self, shared: Shared, sock: socket.socket, peer: str, *, secure: bool) -> None:
        """Serve requests that arrive on a non-blocking socket, which the connection closes."""
        self._shared = shared
        self._socket = sock
        self._fd = sock.fileno()
        self._sender = Sender(shared, sock, self._lose, secure=secure)
        self._parser = HeadParser()
        self._state = State.IDLE
        self._deadline = shared.loop.time() + shared.limits.header_timeout
        self._buffer = b""
        """Bytes that no request has claimed yet."""
        self._is_reading = False
        self._ended = False
        """Whether the client has closed its sending side."""
        self._task: asyncio.Task[None] | None = None
        """The present handler, once it has waited for something."""
        self._continued = False
        """Whether the present body was asked for."""
        self._answered = False
        """Whether the whole answer has left."""
        self._last = False
        """Whether the connection ends with this answer."""
        self._drain_left = 0
        """Bytes that are still read and dropped after the answer."""
        self._drain_until = 0.0
        self.peer = peer
        self.secure = secure
        self.client: Client = shared.find_client(peer, None)
        self.body: NoBody | ArrivingBody = NO_BODY
        self.memo: object = None

    # ---------------------------------------------------------------- what the server calls

    @property
    def deadline(self) -> float:
        """When `expire` is to be called."""
        return min(self._deadline, self.body.deadline, self._sender.deadline)

    def refuse(self, refused: RequestRefused) -> None:
        """Answer with a refusal, as far as the kernel takes it at once, and close."""
        if self._state is State.IDLE or self._state is State.HEAD:
            self._move(Event.MALFORMED)
            self._send_refusal(refused)

    def stop(self) -> None:
        """Close the connection if nothing is under way on it; otherwise its next answer is the last one."""
        if self._state is State.IDLE and not self._buffer:
            self._lose()

    def expire(self) -> None:
        """End what has been waited for until the deadline."""
        if self._sender.deadline < NEVER:
            if self._sender.is_overdue():
                self._lose()
        elif self._state is State.IDLE or self._state is State.LINGER:
            self._lose()
        elif self._state is State.HEAD:
            self._move(Event.TIME_OUT)
            self._send_refusal(RequestRefused(408, "the head of a request did not arrive in time"))
        elif self._state is State.BODY:
            self._break(Event.TIME_OUT, BodyTooSlow(self._shared.limits.progress_period))

    # ---------------------------------------------------------------- reading

    def resume_reading(self) -> None:
        """Read what arrives."""
        if not self._is_reading and not self._ended and self._state is not State.CLOSED:
            self._shared.loop.add_reader(self._fd, self._on_readable)
            self._is_reading = True

    def pause_reading(self) -> None:
        """Read no more for now."""
        if self._is_reading:
            self._shared.loop.remove_reader(self._fd)
            self._is_reading = False

    def _on_readable(self) -> None:
        size = SMALL_READ
        if self._state is State.BODY:
            size = BODY_READ if self._shared.budget.has_room(self.client.account, BODY_READ) else SMALL_READ
        for _ in range(TLS_READS if self.secure else 1):
            try:
                data = self._socket.recv(size)
            except WOULD_WAIT:
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
        elif state is State.BODY:
            self._feed(data)
        elif state is State.LINGER:
            self._drop(len(data))
        else:
            self._buffer += data
            if len(self._buffer) > MAX_PIPELINED:
                self.pause_reading()

    def _end(self) -> None:
        """Take note that the client sends nothing more; it may still read."""
        self._ended = True
        self.pause_reading()
        state = self._state
        if state is State.BODY:
            self._break(Event.END, self._interrupted())
        elif state is State.WHOLE:
            self._move(Event.END)
        elif state is State.IDLE and self._buffer:
            pass  # requests that were pipelined before the end wait for their turn
        elif state is not State.BROKEN:
            self._lose(Event.END)

    def _feed(self, data: bytes) -> None:
        """Take bytes of a body, for its handler to read."""
        body = self.body
        assert isinstance(body, ArrivingBody)  # noqa: S101 (in the state BODY there is one)
        try:
            rest = body.feed(data)
        except RequestRefused as refused:
            self._break(Event.MALFORMED, BodyMalformed(body.received, refused.reason))
            return
        if body.complete:
            self._buffer = rest
            self._move(Event.BODY_ENDED)

    def _break(self, event: Event, fault: Exception) -> None:
        """Take note that the body will never be whole; its handler learns it before it acts."""
        self._move(event)
        self.pause_reading()
        self.body.interrupt(fault)

    def _interrupted(self) -> ContentInterrupted:
        return ContentInterrupted(self.body.received, self.body.announced)

    # ---------------------------------------------------------------- requests

    def _parse(self) -> None:
        """Begin the requests whose heads have arrived, one after another."""
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
                self._lose(Event.END)
            else:
                self.resume_reading()

    def _parse_one(self) -> bool:
        """Begin the next request if its head has arrived; return whether another may follow in this turn."""
        if self._state is State.IDLE:
            self._move(Event.BYTES)
            self._deadline = self._shared.loop.time() + self._shared.limits.header_timeout
        elif self._state is not State.HEAD:
            return False
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEAD) + 4
        try:
            if end < 4:  # noqa: PLR2004 (the length of what was looked for)
                self._require_beginning()
                return False
            head = self._parser.parse(self._buffer[:end])
        except RequestRefused as refused:
            self.refuse(refused)
            return False
        self._buffer = self._buffer[end:]
        self._handle(head)
        return self._state is State.IDLE

    def _require_beginning(self) -> None:
        """Refuse the beginning of a head that cannot become one.

        Raises: RequestRefused.
        """
        if len(self._buffer) >= MAX_HEAD:
            if self._buffer.find(b"\r\n", 0, MAX_TARGET) < 0:
                raise RequestRefused(414, f"a request target may have {MAX_TARGET} bytes")
            raise RequestRefused(431, f"the head of a request may have {MAX_HEAD} bytes")
        if begins_badly(self._buffer):
            raise RequestRefused(400, "this is not HTTP/1.1; is it TLS, or are its line ends not CRLF?")

    def _handle(self, head: RequestHead) -> None:
        """Hand a request to the application."""
        self.head = head
        self._answered = self._continued = False
        self._deadline = NEVER
        self._drain_left = self._shared.limits.drain_size
        self.client = self._shared.find_client(self.peer, head)
        if head.length == 0:
            self.body = NO_BODY
            self._move(Event.HEAD_ALONE)
        else:
            self.body = ArrivingBody(self, self._shared, self.client.account, head.length)
            self._move(Event.HEAD_WITH_BODY)
            if self._buffer:
                data, self._buffer = self._buffer, b""
                self._feed(data)
            if self._ended and self._state is State.BODY:
                self._break(Event.END, self._interrupted())
        try:
            self._task = start(self._shared.loop, self._shared.application(self))
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 (a handler ends its connection only)
            _log.exception("a handler failed")
            self._lose()
        if self._task is None:
            self._handled()
        else:
            self._task.add_done_callback(self._on_task_done)

    def _on_task_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if self._state is State.CLOSED:
            self._shared.closed_one(self)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _log.error("a handler failed", exc_info=error)
        self._handled()
        if self._buffer and self._state is State.IDLE:
            self._parse()

    def _handled(self) -> None:
        """Go on after a handler has ended."""
        self.body.end()
        if self._state is State.CLOSED:
            return
        if not self._answered:
            self._lose()
            return
        self._move(Event.ANSWERED_LAST if self._last else Event.ANSWERED)
        if self._state is State.IDLE:
            self._next()
        else:
            self._linger(sending=not self.body.complete)

    def _next(self) -> None:
        """Wait for the next request."""
        if not self._parser.remembers(self.head.headers):
            self.memo, self.head = None, _NO_HEAD  # large ones are not kept while the connection idles
        self._deadline = self._shared.loop.time() + self._shared.limits.idle_timeout
        if self._shared.stopping and not self._buffer:
            self._lose()
        elif not self._buffer:
            if self._ended:
                self._lose(Event.END)
            else:
                self.resume_reading()

    # ---------------------------------------------------------------- answers

    async def ask_for_body(self) -> None:
        """Let the client send the body, if it waits to be asked.

        Raises: ClientGone.
        """
        if self.head.expects_continue and not self._continued:
            self._continued = True
            await self._sender.write(_CONTINUE, self.client.account)

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        """Send the one answer to the present request; return when the kernel has its last byte.

        Raises: as `Sender.send`.
        """
        if self._state is State.CLOSED:
            raise ClientGone("the client left before its answer", begun=False)
        self._last = self._is_last()
        content, size = answer.content, answer.size
        head = head_of(answer.status, answer.headers, size, last=self._last, further=further)
        if not size or self.head.method == "HEAD" or isinstance(content, Unsent) or answer.status in WITHOUT_CONTENT:
            content = b""
        await self._sender.send(head, content, self.client.account)
        self._answered = True

    def _is_last(self) -> bool:
        """Return whether the connection ends with this answer.

        It does when the body has not ended. A proxy may give the rest of it up when it has the answer, and use the
        connection for another client's request, which would be taken for the rest of the body.
        """
        return self.head.last or self._shared.stopping or self._state in _UNFINISHED

    def _send_refusal(self, refused: RequestRefused) -> None:
        """Answer what never became a request, as far as the kernel takes it at once, and close."""
        self.pause_reading()
        answer = self._shared.application.refuse(self.peer, refused)
        assert isinstance(answer.content, bytes)  # noqa: S101 (an error document is small)
        with suppress(OSError):
            self._socket.send(head_of(answer.status, answer.headers, answer.size, last=True) + answer.content)
        self._move(Event.ANSWERED_LAST)
        self._buffer, self._drain_left = b"", self._shared.limits.drain_size
        self._linger(sending=True)

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
        patience = self._shared.limits.drain_timeout if sending else LINGER
        self._drain_until = self._shared.loop.time() + patience
        self._drop(0)
        self.resume_reading()

    def _drop(self, size: int) -> None:
        """Count bytes that are read only so that the client comes to read its answer, within bounds."""
        self._drain_left -= size
        if self._drain_left <= 0:
            self.pause_reading()
            self._deadline = 0.0
        else:
            self._deadline = min(self._drain_until, self._shared.loop.time() + DRAIN_IDLE)

    def _lose(self, event: Event = Event.GONE) -> None:
        """Close at once; what waits on this connection is interrupted."""
        if self._state is State.CLOSED:
            return
        self._move(event)
        self._deadline = NEVER
        self.pause_reading()
        self._sender.close()
        self._socket.close()
        self.body.interrupt(self._interrupted())
        self._shared.closed_one(self, handling=self._task is not None)

    def _move(self, event: Event) -> None:
        self._state = TRANSITIONS[self._state][event]
