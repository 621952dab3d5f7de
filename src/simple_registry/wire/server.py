"""Accepts connections on listening sockets, and watches over them: their number, their times, their end.

Descriptors are counted. A connection above the limit is answered 503 and closed, and one descriptor is kept in reserve
to accept it with when the process has no other left.
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
from simple_registry.wire.entrance import Entrance
from simple_registry.wire.exchange import Application, FindClient
from simple_registry.wire.heads import RequestRefused
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.proxy_header import plain_address
from simple_registry.wire.queue import MOMENT, SharedQueue

ACCEPTED_PER_TURN = 32
"""Connections that are accepted in one turn of the event loop."""
HANDSHAKES_PER_TURN = 4
"""Steps of TLS handshakes in one turn: each takes up to a millisecond."""
READERS = 4
"""Threads that read files from a disk."""
WATCH = 0.5
"""Seconds between two looks at the deadlines, or less where a limit is short."""
UNIX = "unix"
"""The peer of every unix socket."""

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Watched(Protocol):
    """What has a deadline."""

    @property
    def deadline(self) -> float:
        """When `expire` is to be called."""
        ...

    def expire(self) -> None:
        """End what has been waited for until the deadline."""
        ...

    def stop(self) -> None:
        """End, or do so after the present request."""
        ...


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
        """Hand requests to `application`; ask `tls` at each connection, and read PROXY headers of peers it `trusts`."""
        self.loop = asyncio.get_running_loop()
        self.application = application
        self.limits = limits
        self.budget = Budget(limits.held, limits.held_by_address)
        self.find_client = find_client
        self.stopping = False
        self.open_files = 0
        self._tls = tls
        self._trusts = trusts
        self._threads = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._listeners: dict[socket.socket, SharedQueue | None] = {}
        """Listening sockets, and the queues of those that other processes accept from, too."""
        self._open: dict[Watched, str | None] = {}
        """What is open, each with the account that it is counted under."""
        self._by_account: Counter[str | None] = Counter()
        """How many are open of each account."""
        self._handling: set[Watched] = set()
        """Connections that have closed while their handlers still work."""
        self._handshakes: deque[Entrance] = deque()
        self._all_closed = asyncio.Event()
        self._spare = _spare()
        times = (limits.header_timeout, limits.idle_timeout, limits.progress_period, limits.drain_timeout)
        self._watch_interval = min(WATCH, *(time / 4 for time in times))
        self._watching = self.loop.call_later(self._watch_interval, self._watch)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return len(self._open)

    def listen(self, listener: socket.socket, queue: SharedQueue | None = None) -> None:
        """Accept from a non-blocking listening socket, which stays the caller's; a `queue` is shared with others."""
        self._listeners[listener] = queue
        self.loop.add_reader(listener.fileno(), self._accept, listener)

    def stop(self) -> None:
        """Accept no more, close what is idle, and let what is under way come to its end."""
        self.stopping = True
        for listener in self._listeners:
            self.loop.remove_reader(listener.fileno())
        self._listeners.clear()
        for each in list(self._open):
            each.stop()
        self._check_closed()

    async def closed(self) -> None:
        """Return when, after `stop`, the last connection has closed."""
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
            self.loop.call_later(MOMENT, self._accept_late, listener)
        else:
            self._accept_some(listener, ACCEPTED_PER_TURN if queue is None else 1)

    def _accept_late(self, listener: socket.socket) -> None:
        """Accept what no other process has taken meanwhile."""
        if listener in self._listeners:
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
                    _log.warning("a connection could not be accepted: %s", error.strerror)
                return
            peer = _peer(address)
            account = self.find_client(peer, None).account
            if not self._has_room(account):
                self._turn_away(sock)
                continue
            try:
                self._admit(sock, peer, account)
            except OSError:
                sock.close()

    def _has_room(self, account: str | None) -> bool:
        """Return whether an account may have another connection; `None` is what has no share of its own."""
        if not self.may_open() or len(self._open) >= self.limits.connections:
            return False
        return account is None or self._by_account[account] < self.limits.connections_by_address

    def _admit(self, sock: socket.socket, peer: str, account: str | None) -> None:
        sock.setblocking(False)
        context, proxied = self._tls(), self._trusts(peer)
        each: Connection | Entrance
        if context is None and not proxied:
            each = Connection(self, sock, peer, secure=False)
        else:
            each = Entrance(self, sock, peer, context=context, proxied=proxied)
        self._open[each] = account
        self._by_account[account] += 1
        self._note()
        each.resume_reading()

    def _note(self) -> None:
        for queue in self._listeners.values():
            if queue is not None:
                queue.note(len(self._open))

    def _accept_with_spare(self, listener: socket.socket) -> None:
        """Turn one connection away with the descriptor in reserve; without that its client would wait unanswered."""
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            sock, _ = listener.accept()
            self._turn_away(sock)
        self._spare = _spare()

    def _turn_away(self, sock: socket.socket) -> None:
        """Answer 503 on a connection that is one too many, as far as that needs no waiting, and close it."""
        with contextlib.suppress(OSError):
            sock.setblocking(False)
            if self._tls() is None:
                answer = self.application.refuse("", RequestRefused(503, "too many connections are open; try again"))
                assert isinstance(answer.content, bytes)  # noqa: S101 (an error document is small)
                sock.send(head_of(answer.status, answer.headers, answer.size, last=True) + answer.content)
                sock.shutdown(socket.SHUT_WR)
                sock.recv(64 * 1024)  # a request that was read does not reset the connection under its answer
        sock.close()

    # ---------------------------------------------------------------- what connections call

    def may_open(self) -> bool:
        """Return whether another descriptor may be opened."""
        return len(self._open) + self.open_files < self.limits.descriptors

    def run(self, call: Callable[..., Any], *args: object) -> "asyncio.Future[Any]":
        """Make a call in a thread."""
        return self.loop.run_in_executor(self._threads, call, *args)

    def closed_one(self, each: Watched, *, handling: bool = False) -> None:
        """Take note that a connection closed; `handling` a request goes on without it."""
        if each in self._open:
            self._leave(self._open.pop(each))
        (self._handling.add if handling else self._handling.discard)(each)
        self._note()
        self._check_closed()

    def opened(self, entrance: Entrance, connection: Connection) -> None:
        """Take note that an entrance became a connection."""
        self._open[connection] = self._open.pop(entrance)

    def _leave(self, account: str | None) -> None:
        self._by_account[account] -= 1
        if not self._by_account[account]:
            del self._by_account[account]

    def shake(self, entrance: Entrance) -> None:
        """Have `entrance.shake` called soon."""
        if not self._handshakes:
            self.loop.call_soon(self._shake_some)
        self._handshakes.append(entrance)

    def _shake_some(self) -> None:
        try:
            for _ in range(min(HANDSHAKES_PER_TURN, len(self._handshakes))):
                self._handshakes.popleft().shake()
        finally:  # one that fails as none should must not keep the others from their turn
            if self._handshakes:
                self.loop.call_soon(self._shake_some)

    # ---------------------------------------------------------------- watching

    def _watch(self) -> None:
        """Look at every deadline."""
        self._watching = self.loop.call_later(self._watch_interval, self._watch)
        now = self.loop.time()
        for each in [each for each in self._open if each.deadline <= now]:
            try:
                each.expire()
            except Exception:  # noqa: BLE001 (one connection must not keep the others open)
                _log.exception("a connection could not be ended")

    def _check_closed(self) -> None:
        if self.stopping and not self._open and not self._handling:
            self._all_closed.set()


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


def _peer(address: object) -> str:
    return plain_address(address[0]) if isinstance(address, tuple) else UNIX
