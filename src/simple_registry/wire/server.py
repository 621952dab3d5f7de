"""Accepts connections on listening sockets, and enforces their limits and deadlines.

Descriptors are counted. A connection above a limit is answered 503 and closed. One descriptor is kept in reserve, so
that this is possible even when the process has no other left.
"""

import asyncio
import contextlib
import errno
import logging
import os
import socket
import ssl
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from simple_registry.wire.answers import head_of
from simple_registry.wire.budget import Budget
from simple_registry.wire.connection import Connection
from simple_registry.wire.exchange import Application, FindClient
from simple_registry.wire.heads import RequestRefused
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.preamble import Preamble
from simple_registry.wire.proxy_header import plain_address
from simple_registry.wire.queue import BACK_OFF, SharedQueue

ACCEPTED_PER_TURN = 32
"""Connections accepted in one turn of the event loop."""
HANDSHAKES_PER_TURN = 4
"""Steps of TLS handshakes in one turn; each takes up to a millisecond."""
READER_THREADS = 4
"""Threads that read files from disk."""
WATCH_INTERVAL = 0.5
"""Maximum seconds between two checks of the deadlines."""
UNIX = "unix"
"""The peer of every unix socket."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Watched(Protocol):
    """A connection or preamble, as the server manages it."""

    @property
    def deadline(self) -> float:
        """When to call `expire`."""

    def expire(self) -> None:
        """Act on a deadline that has passed."""

    def stop(self) -> None:
        """Close, or do so after the current request."""


class WireServer:
    """Serves HTTP/1.1 on listening sockets."""

    def __init__(
        self,
        application: Application,
        *,
        limits: WireLimits,
        find_client: FindClient,
        tls: Callable[[], ssl.SSLContext | None] = lambda: None,
        trusts: Callable[[str], bool] = lambda _: False,
    ) -> None:
        """Serve `application`. Ask `tls` at each connection for its context, and `trusts` whether a peer is a proxy."""
        self.loop = asyncio.get_running_loop()
        self.application = application
        self.limits = limits
        self.budget = Budget(limits.held, limits.held_by_address)
        self.find_client = find_client
        self.stopping = False
        self.open_files = 0
        self._tls = tls
        self._trusts = trusts
        self._threads = ThreadPoolExecutor(READER_THREADS, thread_name_prefix="reader")
        self._listeners: dict[socket.socket, SharedQueue | None] = {}
        """Listening sockets, with a queue for those that other processes accept from too."""
        self._open: dict[Watched, str | None] = {}
        """Open connections and preambles, with the accounts under which they are counted."""
        self._by_account: Counter[str | None] = Counter()
        """The number of open connections of each account."""
        self._handling: set[Watched] = set()
        """Closed connections whose handlers are still running."""
        self._handshakes: deque[Preamble] = deque()
        self._all_closed = asyncio.Event()
        self._spare = _spare()
        times = (limits.header_timeout, limits.idle_timeout, limits.progress_period, limits.drain_timeout)
        self._watch_interval = min(WATCH_INTERVAL, *(time / 4 for time in times))
        self._watching = self.loop.call_later(self._watch_interval, self._check_deadlines)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._open)

    def listen(self, listener: socket.socket, queue: SharedQueue | None = None) -> None:
        """Accept from a non-blocking listening socket, which the caller closes. Pass the `queue` of a shared socket."""
        self._listeners[listener] = queue
        self.loop.add_reader(listener.fileno(), self._accept, listener)

    def stop(self) -> None:
        """Stop accepting, close idle connections, and finish the requests in flight."""
        self.stopping = True
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())
        self._listeners.clear()
        for each in list(self._open):
            each.stop()
        self._check_all_closed()

    async def closed(self) -> None:
        """Wait, after `stop`, until the last connection has closed."""
        await self._all_closed.wait()
        self._watching.cancel()
        self._threads.shutdown(wait=False)
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None

    # ---------------------------------------------------------------- accepting

    def _accept(self, listener: socket.socket) -> None:
        queue = self._listeners[listener]
        if queue is not None and queue.should_wait():
            self.loop.remove_reader(listener.fileno())
            self.loop.call_later(BACK_OFF, self._accept_after_back_off, listener)
        else:
            self._accept_some(listener, ACCEPTED_PER_TURN if queue is None else 1)

    def _accept_after_back_off(self, listener: socket.socket) -> None:
        """Accept a connection if no other process has done so meanwhile."""
        if listener in self._listeners:  # unless the server has stopped meanwhile
            self.loop.add_reader(listener.fileno(), self._accept, listener)
            self._accept_some(listener, 1)

    def _accept_some(self, listener: socket.socket, count: int) -> None:
        for _ in range(count):
            try:
                sock, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._accept_with_spare(listener)
                else:
                    _log.warning("cannot accept a connection: %s", error.strerror)
                return
            peer = _peer(address)
            account = self.find_client(peer, None).account
            if not self._has_room(account):
                self._reject(sock)
                continue
            try:
                self._admit(sock, peer, account)
            except OSError:
                sock.close()

    def _has_room(self, account: str | None) -> bool:
        """Return whether an account may have another connection; `None` has no limit of its own."""
        if not self.may_open() or len(self._open) >= self.limits.connections:
            return False
        return account is None or self._by_account[account] < self.limits.connections_by_address

    def _admit(self, sock: socket.socket, peer: str, account: str | None) -> None:
        sock.setblocking(False)
        context, proxied = self._tls(), self._trusts(peer)
        each: Connection | Preamble
        if context is None and not proxied:
            each = Connection(self, sock, peer, secure=False)
        else:
            each = Preamble(self, sock, peer, context=context, proxied=proxied)
        self._open[each] = account
        self._by_account[account] += 1
        self._publish_count()
        each.resume_reading()

    def _publish_count(self) -> None:
        for queue in self._listeners.values():
            if queue is not None:
                queue.publish(len(self._open))

    def _accept_with_spare(self, listener: socket.socket) -> None:
        """Reject one connection by means of the spare descriptor; otherwise it would wait in the kernel's queue."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            self._reject(sock)
        self._spare = _spare()

    def _reject(self, sock: socket.socket) -> None:
        """Answer 503, if that is possible without waiting, and close the connection."""
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            if self._tls() is None:
                answer = self.application.refuse("", RequestRefused(503, "too many open connections; try again later"))
                assert isinstance(answer.content, bytes)  # noqa: S101 (refusals have no streamed content)
                sock.send(head_of(answer.status, answer.headers, answer.size, last=True) + answer.content)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(64 * 1024)  # unread input would reset the connection, and the answer could be lost
        sock.close()

    # ---------------------------------------------------------------- what connections call

    def may_open(self) -> bool:
        """Return whether the limit of descriptors allows another one."""
        return len(self._open) + self.open_files < self.limits.descriptors

    def run(self, call: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        """Run a call in a thread."""
        return self.loop.run_in_executor(self._threads, call, *args)

    def on_closed(self, each: Watched, *, handling: bool = False) -> None:
        """Handle the end of a connection; `handling`: its handler is still running."""
        if each in self._open:
            self._uncount(self._open.pop(each))
        (self._handling.add if handling else self._handling.discard)(each)
        self._publish_count()
        self._check_all_closed()

    def on_opened(self, preamble: Preamble, connection: Connection) -> None:
        """Replace a preamble by its connection."""
        self._open[connection] = self._open.pop(preamble)

    def _uncount(self, account: str | None) -> None:
        self._by_account[account] -= 1
        if not self._by_account[account]:
            del self._by_account[account]

    def queue_handshake(self, preamble: Preamble) -> None:
        """Call `continue_handshake` in a later turn."""
        if not self._handshakes:
            self.loop.call_soon(self._run_handshakes)
        self._handshakes.append(preamble)

    def _run_handshakes(self) -> None:
        try:
            for _ in range(min(HANDSHAKES_PER_TURN, len(self._handshakes))):
                self._handshakes.popleft().continue_handshake()
        finally:  # an unexpected error in one handshake must not stall the others
            if self._handshakes:
                self.loop.call_soon(self._run_handshakes)

    # ---------------------------------------------------------------- deadlines

    def _check_deadlines(self) -> None:
        """Call `expire` on everything whose deadline has passed."""
        # Scheduled first, so that no error ends the checks.
        self._watching = self.loop.call_later(self._watch_interval, self._check_deadlines)
        now = self.loop.time()
        for each in [each for each in self._open if each.deadline <= now]:
            try:
                each.expire()
            except Exception:  # noqa: BLE001 (a bug in one connection must not keep the others open)
                _log.exception("closing a connection failed")

    def _check_all_closed(self) -> None:
        if self.stopping and not self._open and not self._handling:
            self._all_closed.set()


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _peer(address: object) -> str:
    return plain_address(address[0]) if isinstance(address, tuple) else UNIX
