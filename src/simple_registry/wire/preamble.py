"""The part of a connection before its first request: the PROXY header of a trusted proxy, then the TLS handshake.

    socket ─► PROXY header? ─► TLS handshake? ─► Connection

Both are recognised by their first bytes, which are peeked at and stay in the socket. So a plain request on a TLS port
can be answered in plain HTTP.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Protocol

from simple_registry.wire.connection import Connection
from simple_registry.wire.heads import RequestRefused
from simple_registry.wire.proxy_header import PREFIX, SIGNATURE, ProxyHeaderInvalid, header_size, source_address
from simple_registry.wire.shared import FIRST_REQUEST_TIME, Shared

PEEK_INTERVAL = 0.05
"""Seconds between two peeks at an incomplete header. Peeked bytes keep the socket readable, so events do not help."""

_HANDSHAKE = b"\x16"
"""The first byte of a TLS handshake."""


class PreambleServer(Shared, Protocol):
    """The interface of the server to preambles."""

    def on_opened(self, preamble: "Preamble", connection: Connection) -> None:
        """Replace a preamble by its connection."""

    def queue_handshake(self, preamble: "Preamble") -> None:
        """Call `continue_handshake` in a later turn: handshakes are the most expensive work on the loop."""


class Preamble:
    """A connection that has not reached its first request."""

    def __init__(
        self,
        server: PreambleServer,
        sock: socket.socket,
        peer: str,
        *,
        context: ssl.SSLContext | None,
        proxied: bool,
    ) -> None:
        """Expect a PROXY header if the peer may send one (`proxied`), and a handshake if `context` is given."""
        self._server = server
        self._socket: socket.socket | ssl.SSLSocket = sock
        self._fd = sock.fileno()
        self._peer = peer
        self._context = context
        self._proxied = proxied
        self._retry: asyncio.TimerHandle | None = None
        self.deadline = server.loop.time() + server.limits.handshake_timeout

    def resume_reading(self) -> None:
        """Wait for input."""
        self._server.loop.add_reader(self._fd, self._peek)

    def close(self) -> None:
        """Close the socket."""
        self._stop_waiting()
        self._socket.close()
        self._server.on_closed(self)

    expire = close

    def stop(self) -> None:
        """Close soon."""
        self.deadline = min(self.deadline, self._server.loop.time() + FIRST_REQUEST_TIME)

    def _stop_waiting(self) -> None:
        """Remove all callbacks."""
        self._server.loop.remove_reader(self._fd)
        self._server.loop.remove_writer(self._fd)
        if self._retry is not None:
            self._retry.cancel()

    def _peek(self) -> None:
        try:
            seen = self._socket.recv(PREFIX, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            seen = b""
        if not seen:
            self.close()
        elif self._proxied and SIGNATURE.startswith(seen[: len(SIGNATURE)]):
            self._read_proxy_header(seen)
        elif self._context is None:
            self._connect(secure=False)
        elif seen.startswith(_HANDSHAKE):
            self._start_handshake(self._context)
        else:
            self._connect(secure=False).refuse(RequestRefused(400, "this port speaks TLS; use https"))

    def _read_proxy_header(self, seen: bytes) -> None:
        """Read a PROXY header once it has arrived in full."""
        try:
            size = header_size(seen) if len(seen) == PREFIX else None
            header = b"" if size is None else self._socket.recv(size, socket.MSG_PEEK)
            if size is None or len(header) < size:
                self._server.loop.remove_reader(self._fd)
                self._retry = self._server.loop.call_later(PEEK_INTERVAL, self.resume_reading)
                return
            self._peer = source_address(header) or self._peer
            self._socket.recv(size)
        except (ProxyHeaderInvalid, OSError):
            self.close()
            return
        self._proxied = False
        if self._context is None:
            self._connect(secure=False)

    def _start_handshake(self, context: ssl.SSLContext) -> None:
        self._stop_waiting()
        # Many clients close without close_notify. Truncation is detected by the framing of the body instead.
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        except OSError:
            self.close()
            return
        self._server.queue_handshake(self)

    def continue_handshake(self) -> None:
        """Take the next step of the handshake."""
        loop = self._server.loop
        if self._socket.fileno() < 0:  # closed while it was queued
            return
        try:
            self._socket.do_handshake()  # type: ignore[union-attr]
        except ssl.SSLWantReadError:
            loop.add_reader(self._fd, self._queue_handshake)
        except ssl.SSLWantWriteError:
            loop.add_writer(self._fd, self._queue_handshake)
        except (OSError, ValueError):
            self.close()
        else:
            self._connect(secure=True)

    def _queue_handshake(self) -> None:
        self._stop_waiting()
        self._server.queue_handshake(self)

    def _connect(self, *, secure: bool) -> Connection:
        """Hand the socket to a new connection."""
        self._stop_waiting()
        with suppress(OSError):
            self._socket.setblocking(False)
        connection = Connection(self._server, self._socket, self._peer, secure=secure)
        self._server.on_opened(self, connection)
        if self._server.stopping:
            connection.stop()
        connection.resume_reading()
        return connection
