"""A small HTTP/1.1 client that sees what usual ones hide: early answers, cuts, and bytes after an answer.

Each request has a connection of its own. Proxies of the environment are not used.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlsplit

PIECE = 64 * 1024
_LARGEST_ANSWER = 32 * 1024 * 1024
_AFTER_HEAD = 0.2
"""Seconds to wait for bytes that must not come."""


class DoctorFault(Exception):
    """A request that got no answer; the message says why."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a registry is reached."""

    scheme: str
    host: str
    port: int

    @property
    def authority(self) -> str:
        """The value of `Host`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


_PORTS = {"http": 80, "https": 443}


def parse_address(url: str) -> Address:
    """Return the address of a URL without a path; a bare host is reached over https.

    Raises: ValueError.
    """
    parts = urlsplit(url if "://" in url else f"https://{url}")
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url!r} is not the URL of a registry; write for example https://registry.example.com")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError(f"{url!r} has a path, but for clients a registry is a host")
    return Address(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme])


@dataclass(frozen=True, slots=True)
class Answer:
    """A response. `extra` are bytes that followed a response to HEAD; `early` came before the body was sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    extra: bytes = b""
    early: bool = False

    def header(self, name: str) -> str:
        """Return a header, or an empty text."""
        return self.headers.get(name.lower(), "")

    @property
    def of_registry(self) -> bool:
        """Whether an error comes from a registry and not from a program before it."""
        return self.status < HTTPStatus.BAD_REQUEST or self.body.lstrip()[:10].startswith(b'{"errors"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request. With `chunked` its length is not announced; `pause` is the time in the middle of its body.

    `announced` is the length of a body of which only `body` is sent.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    chunked: bool = False
    pause: float = 0.0
    announced: int | None = None


class Client:
    """Sends requests to one address. `sent` counts the bytes of bodies."""

    def __init__(self, address: Address, context: ssl.SSLContext | None, *, timeout: float) -> None:
        """Verify certificates as `context` says."""
        self.address = address
        self.sent = 0
        self._context = context
        self._timeout = timeout

    def at(self, address: Address) -> "Client":
        """Return a client for another address."""
        return Client(address, self._context, timeout=self._timeout)

    def connect(self) -> socket.socket:
        """Return a connection.

        Raises: OSError, as `ssl.SSLCertVerificationError` when the certificate is not accepted.
        """
        plain = socket.create_connection((self.address.host, self.address.port), self._timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self.address.scheme == "http" or self._context is None:
            return plain
        try:
            return self._context.wrap_socket(plain, server_hostname=self.address.host)
        except BaseException:
            plain.close()
            raise

    def send(self, request: Request, *, timeout: float | None = None) -> Answer:
        """Return the answer to a request, which may arrive before its body is sent.

        Raises: DoctorFault.
        """
        try:
            with closing(self.connect()) as connection:
                return self._exchange(connection, request, timeout or self._timeout)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise DoctorFault(_reason(error)) from error

    def _exchange(self, connection: socket.socket, request: Request, timeout: float) -> Answer:
        reader = _Reader(connection)
        connection.sendall(self._head(request))
        early = self._send_body(connection, reader, request)
        connection.settimeout(timeout)
        response = http.client.HTTPResponse(reader, method=request.method)  # type: ignore[arg-type]
        response.begin()
        body = response.read(_LARGEST_ANSWER)
        extra = reader.more(connection) if request.method == "HEAD" else b""
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, body, extra, early)

    def _head(self, request: Request) -> bytes:
        headers = {"Host": self.address.authority, "User-Agent": "simple-registry-doctor", **request.headers}
        if request.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif request.announced is not None or request.method not in {"GET", "HEAD"}:
            headers["Content-Length"] = str(len(request.body) if request.announced is None else request.announced)
        lines = [f"{request.method} {request.path} HTTP/1.1", *(f"{name}: {text}" for name, text in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _send_body(self, connection: socket.socket, reader: "_Reader", request: Request) -> bool:
        """Send the body until an answer begins. Return whether it began before the end."""
        middle = len(request.body) // 2 // PIECE * PIECE
        try:
            for start, piece in _pieces(request.body):
                if request.pause and start >= middle > start - PIECE:
                    time.sleep(request.pause)
                if reader.has_begun(connection):
                    return True
                connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if request.chunked else piece)
                self.sent += len(piece)
            if request.chunked:
                connection.sendall(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            return True  # the answer may have come before the connection was closed
        return False


def _pieces(body: bytes) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(body), PIECE):
        yield start, body[start : start + PIECE]


class _Reader(io.BufferedReader):
    """Reads a socket, and can look whether an answer has begun.

    A TLS socket is readable, too, when it has received a session ticket: only a read shows whether there is data.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._raw = _Raw(connection)
        super().__init__(self._raw)

    def makefile(self, _mode: str) -> "_Reader":
        return self  # as a socket does for `HTTPResponse`

    def close(self) -> None:
        """Keep what was read too much; the connection is closed by its owner."""

    def has_begun(self, connection: socket.socket) -> bool:
        timeout = connection.gettimeout()
        connection.settimeout(0)
        try:
            self._raw.first += connection.recv(1)
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        finally:
            connection.settimeout(timeout)
        return True

    def more(self, connection: socket.socket) -> bytes:
        connection.settimeout(_AFTER_HEAD)
        try:
            return self.read1(PIECE)
        except OSError:
            return b""


class _Raw(io.RawIOBase):
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.first = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        if self.first:
            size = len(self.first)
            view[:size], self.first = self.first, b""
            return size
        return self._connection.recv_into(view)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not accepted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, http.client.RemoteDisconnected):
        return "the connection is closed without an answer"
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
