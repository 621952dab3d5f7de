"""A connection before its first request: the PROXY header of a trusted proxy, then the TLS handshake.

    socket ─► PROXY header? ─► TLS handshake? ─► Connection

Both are recognised by their first bytes, which are looked at and left in the socket. A plain request on a TLS port is
so answered in a way that its client can read.
"""

import asyncio
import socket
import ssl
from contextlib import suppress
from typing import Protocol

from simple_registry.wire.connection import Connection
from simple_registry.wire.heads import RequestRefused
from simple_registry.wire.proxy_header import PREFIX, SIGNATURE, ProxyHeaderInvalid, header_size, source_address
from simple_registry.wire.shared import Shared

AGAIN = 0.05
"""Seconds until a header that has arrived in part is looked at again: looking leaves it in the socket, which stays
readable all the while."""

_HANDSHAKE = b"\x16"
"""The first byte of a TLS handshake."""


class Door(Shared, Protocol):
    """What entrances need beside what connections need."""

    def opened(self, entrance: "Entrance", connection: Connection) -> None:
        """Take note that an entrance became a connection."""
        ...

    def shake(self, entrance: "Entrance") -> None:
        """Have `entrance.shake` called soon: handshakes are the dearest thing on the loop, and take turns."""
        ...


class Entrance:
    """A connection that has not reached its first request."""

    def __init__(
        self,
        door: Door,
        sock: socket.socket,
        peer: str,
        *,
        context: ssl.SSLContext | None,
        proxied: bool,
    ) -> None:
        """Expect a PROXY header if the peer may send one (`proxied`), and a handshake if there is a `context`."""
        self._door = door
        self._socket: socket.socket | ssl.SSLSocket = sock
        self._fd = sock.fileno()
        self._peer = peer
        self._context = context
        self._proxied = proxied
        self._again: asyncio.TimerHandle | None = None
        self.deadline = door.loop.time() + door.limits.handshake_timeout

    def resume_reading(self) -> None:
        """Look at what arrives."""
        self._door.loop.add_reader(self._fd, self._look)

    def stop(self) -> None:
        """Close, as nothing is under way."""
        self.close()

    def expire(self) -> None:
        """Close, as nothing has come in time."""
        self.close()

    def close(self) -> None:
        """Close the socket."""
        self._forget()
        self._socket.close()
        self._door.closed_one(self)

    def _forget(self) -> None:
        """Wait for nothing more."""
        self._door.loop.remove_reader(self._fd)
        self._door.loop.remove_writer(self._fd)
        if self._again is not None:
            self._again.cancel()

    def _look(self) -> None:
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
            self._begin_handshake(self._context)
        else:
            self._connect(secure=False).refuse(RequestRefused(400, "this port speaks TLS; use https"))

    def _read_proxy_header(self, seen: bytes) -> None:
        """Read a PROXY header once it is there as a whole."""
        try:
            size = header_size(seen) if len(seen) == PREFIX else None
            header = b"" if size is None else self._socket.recv(size, socket.MSG_PEEK)
            if size is None or len(header) < size:
                self._door.loop.remove_reader(self._fd)
                self._again = self._door.loop.call_later(AGAIN, self.resume_reading)
                return
            self._peer = source_address(header) or self._peer
            self._socket.recv(size)
        except (ProxyHeaderInvalid, OSError):
            self.close()
            return
        self._proxied = False
        if self._context is None:
            self._connect(secure=False)

    def _begin_handshake(self, context: ssl.SSLContext) -> None:
        self._forget()
        # Many clients end their side without a goodbye. Whether a body is whole is said by its own framing.
        context.options |= ssl.OP_IGNORE_UNEXPECTED_EOF
        try:
            self._socket = context.wrap_socket(self._socket, server_side=True, do_handshake_on_connect=False)
        except OSError:
            self.close()
            return
        self._door.shake(self)

    def shake(self) -> None:
        """Make the next step of the handshake."""
        loop = self._door.loop
        if self._socket.fileno() < 0:
            return
        try:
            self._socket.do_handshake()  # type: ignore[union-attr]
        except ssl.SSLWantReadError:
            loop.add_reader(self._fd, self._shake_later)
        except ssl.SSLWantWriteError:
            loop.add_writer(self._fd, self._shake_later)
        except (OSError, ValueError):
            self.close()
        else:
            self._connect(secure=True)

    def _shake_later(self) -> None:
        self._forget()
        self._door.shake(self)

    def _connect(self, *, secure: bool) -> Connection:
        """Become a connection."""
        self._forget()
        with suppress(OSError):
            self._socket.setblocking(False)
        connection = Connection(self._door, self._socket, self._peer, secure=secure)
        self._door.opened(self, connection)
        connection.resume_reading()
        return connection
