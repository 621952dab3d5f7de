"""The metrics on an address of their own: plain HTTP, no login, nothing but `/metrics`.

All workers accept from one socket that the parent opened, so somebody answers as long as one of them lives, also when
the registry's own sockets are flooded. What Prometheus needs of HTTP is one request and an answer; each connection is
closed after it, and those that dawdle, or are too many, before.
"""

import asyncio
import socket
from collections.abc import Callable

from simple_registry.metrics.exposition import CONTENT_TYPE

PATIENCE = 5.0
"""Seconds that a client has for its request, and then for taking the answer."""

LONGEST_HEAD = 8 * 1024
CONNECTIONS = 32
"""Most connections that one worker holds at once."""


class Exporter:
    """Answers Prometheus."""

    def __init__(self, text: Callable[[], bytes]) -> None:
        """Answer with what `text` returns then."""
        self._text = text
        self._connections = 0
        self._server: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept from a listening socket, which stays the caller's."""
        own = listener.dup()
        own.setblocking(False)
        self._server = await asyncio.start_server(self._serve, sock=own, limit=LONGEST_HEAD)

    def stop(self) -> None:
        """Accept no more."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        try:
            if self._connections <= CONNECTIONS:
                await self._exchange(reader, writer)
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # whoever speaks no HTTP, or none in time, is told nothing
        finally:
            self._connections -= 1
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(PATIENCE):
            head = await reader.readuntil(b"\r\n\r\n")
        writer.transport.set_write_buffer_limits(0)  # `drain` waits for the last byte
        writer.write(self._answer(head))
        try:
            async with asyncio.timeout(PATIENCE):
                await writer.drain()
        except TimeoutError:
            writer.transport.abort()  # closing would wait for as long as the client likes

    def _answer(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b"\r\n")[0].partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _response("404 Not Found", b"only /metrics is here\n")
        if method not in {b"GET", b"HEAD"}:
            return _response("405 Method Not Allowed", b"only GET and HEAD\n")
        return _response("200 OK", self._text(), CONTENT_TYPE, unsent=method == b"HEAD")


def _response(status: str, body: bytes, kind: str = "text/plain; charset=utf-8", *, unsent: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if unsent else body)
