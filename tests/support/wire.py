"""A small application on a real wire server, with plain sockets as clients.

The server runs on an event loop of its own, in a thread; `Wire` is the test's side of it.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from simple_registry.content import ContentInterrupted, LocalFile, Span
from simple_registry.faults import StorageFault
from simple_registry.wire.answers import AnswerContent, Part, Parts, size_of
from simple_registry.wire.exchange import BodyTooSlow, CannotSend, Client, ClientGone
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.server import WireServer

LIMIT = 10.0
"""Seconds that anything may take in these tests."""


@dataclass
class Answer:
    """An answer of the test application."""

    status: int
    content: AnswerContent = b""
    headers: tuple[tuple[str, str], ...] = (("content-type", "application/json"),)

    @property
    def size(self) -> int:
        return size_of(self.content)


@dataclass
class Application:
    """Answers by path, and records what it received.

    /echo   the request as JSON, after its body        /early  without reading the body
    /file   the file `path`                            /bytes  `size` bytes from memory
    /parts  a range of the file between two texts      /whole  keeps the body in memory
    /slow   after 0.3 seconds                          /crash  raises
    """

    path: Path | None = None
    size: int = 0
    interrupted: list[Exception] = field(default_factory=list)
    whole: list[str] = field(default_factory=list)
    """Paths of the requests with a complete body."""
    refused: list[Any] = field(default_factory=list)
    unsent: list[Exception] = field(default_factory=list)
    clients: list[str] = field(default_factory=list)

    async def __call__(self, exchange: Any) -> None:
        head = exchange.head
        self.clients.append(exchange.client.address)
        if head.path == "/crash":
            raise RuntimeError("the test says crash")
        if head.path == "/slow":
            await asyncio.sleep(0.3)
        chunks = []
        if head.path != "/early":
            try:
                async for chunk in exchange.body:
                    if head.path == "/whole" and not exchange.body.reserve(len(chunk)):
                        await exchange.send(Answer(503))
                        return
                    chunks.append(chunk)
            except (ContentInterrupted, BodyTooSlow) as error:
                self.interrupted.append(error)
                await self._send(exchange, Answer(408 if isinstance(error, BodyTooSlow) else 400))
                return
            self.whole.append(head.path)
        await self._send(exchange, self._answer(head, b"".join(chunks)))

    def _answer(self, head: Any, body: bytes) -> Answer:
        if head.path == "/bytes":
            return Answer(200, b"x" * self.size)
        if head.path in {"/file", "/parts"}:
            assert self.path is not None
            whole = Part(LocalFile(str(self.path), self.size), Span(0, self.size))
            if head.path == "/file":
                return Answer(200, whole)
            part = Part(whole.content, Span(1, self.size - 1))
            return Answer(206, Parts([b"begin", part, b"end"], 8 + part.span.size))
        said = {
            "method": head.method,
            "path": head.path,
            "query": head.query,
            "host": head.host,
            "headers": dict(head.headers),
            "body": body.decode("latin-1") if len(body) < 4096 else len(body),
        }
        return Answer(200, json.dumps(said).encode())

    async def _send(self, exchange: Any, answer: Answer) -> None:
        try:
            await exchange.send(answer)
        except (CannotSend, StorageFault) as error:
            self.unsent.append(error)
            await exchange.send(Answer(503, b'{"cannot":"send"}'))
        except ClientGone as error:
            self.unsent.append(error)

    def refuse(self, peer: str, refused: Any) -> Answer:
        self.refused.append(refused)
        return Answer(refused.status, json.dumps({"refused": refused.reason}).encode())


def find_client(peer: str, _head: object) -> Client:
    return Client(peer, peer)


class Wire:
    """A running server with the test application."""

    def __init__(self, limits: WireLimits, listener: socket.socket, **options: Any) -> None:
        self.application = Application()
        self.address = listener.getsockname()
        self._ready = threading.Event()
        self._listener = listener
        self._queue = options.pop("queue", None)
        self._options = {"find_client": find_client, **options}
        self._thread = threading.Thread(target=uvloop.run, args=(self._serve(limits),))
        self._thread.start()
        assert self._ready.wait(LIMIT)

    async def _serve(self, limits: WireLimits) -> None:
        self.loop = asyncio.get_running_loop()
        self.server = WireServer(self.application, limits=limits, **self._options)
        self.server.listen(self._listener, self._queue)
        self._ready.set()
        await self.server.closed()

    def call(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function on the server's loop; return its result."""
        done: Any = asyncio.run_coroutine_threadsafe(_as_coroutine(function, *arguments), self.loop)
        return done.result(LIMIT)

    def until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + LIMIT
        while not condition():
            assert time.monotonic() < deadline, "the condition did not become true"
            time.sleep(0.005)

    def connect(self) -> socket.socket:
        sock = socket.socket(self._listener.family)
        sock.settimeout(LIMIT)
        sock.connect(self.address)
        return sock

    def send(self, data: bytes, *, end: bool = False) -> bytes:
        """Send bytes on a new connection; return everything that the server sends until it closes."""
        with self.connect() as sock:
            with contextlib.suppress(OSError):
                sock.sendall(data)
                if end:
                    sock.shutdown(socket.SHUT_WR)
            return read_all(sock)

    def works(self) -> bool:
        """Return whether a request on a new connection is answered."""
        return self.send(get("/echo", close=True)).startswith(b"HTTP/1.1 200 ")

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        if self._thread.is_alive():
            self.call(self.server.stop)
        self.wait()

    def wait(self) -> None:
        """Wait for the end of the server."""
        self._thread.join(LIMIT)
        assert not self._thread.is_alive(), "connections stayed open"


async def _as_coroutine(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def read_all(sock: socket.socket) -> bytes:
    """Return everything until the other side closes or resets."""
    data = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while piece := sock.recv(1 << 20):
            data += piece
    return data


def read_answer(sock: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one answer with a `Content-Length`."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = sock.recv(65536)
        assert piece, f"the connection ended after {data!r}"
        data += piece
    status, headers, rest = split(data)
    length = int(headers.get("content-length", "0"))
    while len(rest) < length:
        piece = sock.recv(1 << 20)
        assert piece, "the connection ended within the content"
        rest += piece
    assert len(rest) == length, "there are bytes after the answer"
    return status, headers, rest


def split(data: bytes) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and the rest of an answer."""
    head, _, rest = data.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:])
    return int(lines[0].split()[1]), headers, rest


def get(path: str, *, close: bool = False, method: str = "GET") -> bytes:
    """Return the bytes of a request without a body."""
    last = "Connection: close\r\n" if close else ""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{last}\r\n".encode()


def put(path: str, body: bytes = b"", *headers: str, length: int | None = None) -> bytes:
    """Return the bytes of a request with a body of a known length."""
    lines = "".join(f"{line}\r\n" for line in headers)
    size = len(body) if length is None else length
    return f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n{lines}\r\n".encode() + body


def put_chunked(path: str, chunks: bytes, *headers: str) -> bytes:
    """Return the bytes of a request with these chunks as its body."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"PUT {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n{lines}\r\n".encode() + chunks


def chunk(data: bytes) -> bytes:
    """Return a chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)
