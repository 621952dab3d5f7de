"""A client's connection with as little Python as possible, so that the load is the registry's.

    wire = Wire("127.0.0.1:5000")
    answer = wire.ask("PUT", "/v2/a/manifests/v1", data, {"Content-Type": …})

The connection is kept, and reopened after it broke. Nothing is sent twice: an interrupted request raises, because a
history must leave open whether it took effect.
"""

import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from harness.subjects import Running

TIMEOUT = 60.0
PROBES = 48
"""Connections after which a process that none has met does not exist: of four, one stays unmet once in a million."""
CONTINUE = 100
_PIECE = 65536
_NONE: Mapping[str, str] = {}


class Broken(OSError):
    """The connection ended before the answer did."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Wire:
    """One connection, for one thread."""

    def __init__(self, address: str, *, timeout: float = TIMEOUT) -> None:
        """Speak to `address`; each wait of it takes up to `timeout` seconds."""
        self._address = address
        self._timeout = timeout
        self._socket: socket.socket | None = None
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NONE) -> Answer:
        """Send a request and return its answer.

        Raises: OSError when the connection breaks; the request may have been carried out.
        """
        self.send(method, path, body, headers)
        return self.receive(method)

    def send(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] = _NONE, *, cut: int | None = None
    ) -> None:
        """Send a request, or of its body only the first `cut` bytes.

        Raises: OSError.
        """
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self._address}"]
        if (body or method in {"POST", "PUT", "PATCH"}) and "Transfer-Encoding" not in headers:
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        head = "\r\n".join([*lines, "", ""]).encode()
        with self._closing_when_broken():
            self.open().sendall(head + (body if cut is None else body[:cut]))

    def send_more(self, data: bytes) -> None:
        """Send more of a body that was cut.

        Raises: OSError.
        """
        with self._closing_when_broken():
            self.open().sendall(data)

    def receive(self, method: str) -> Answer:
        """Return the answer to a request that was sent.

        Raises: OSError.
        """
        with self._closing_when_broken():
            status, headers = self._head()
            body = b"" if method == "HEAD" or status in {204, 304} else self._body(headers)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return Answer(status, headers, body)

    def begun(self) -> bool:
        """Wait until the registry reads the body of a request that was sent with `Expect: 100-continue`.

        Returns whether it does; when it answered instead, that answer is gone, and the connection too.

        Raises: OSError.
        """
        with self._closing_when_broken():
            status, _headers = self._head()
        if status != CONTINUE:
            self.close()
        return status == CONTINUE

    def open(self) -> socket.socket:
        """Return the socket, connected."""
        if self._socket is None:
            host, port = self._address.rsplit(":", 1)
            self._socket = socket.create_connection((host, int(port)), self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._unread = b""
        return self._socket

    def another(self) -> "Wire":
        """Return another connection to the same address."""
        return Wire(self._address, timeout=self._timeout)

    def close(self) -> None:
        """End the connection; the next request opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _closing_when_broken(self) -> "_Closing":
        return _Closing(self)

    def _head(self) -> tuple[int, Mapping[str, str]]:
        while (end := self._unread.find(b"\r\n\r\n")) < 0:
            self._more()
        lines = self._unread[:end].decode("latin-1").split("\r\n")
        self._unread = self._unread[end + 4 :]
        headers = {}
        for line in lines[1:]:
            name, _colon, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return int(lines[0].split(" ", 2)[1]), headers

    def _body(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        return self._exactly(int(headers.get("content-length", "0")))

    def _chunk(self) -> bytes:
        while (end := self._unread.find(b"\r\n")) < 0:
            self._more()
        size = int(self._unread[:end], 16)
        self._unread = self._unread[end + 2 :]
        data = self._exactly(size)
        self._exactly(2)
        return data

    def _exactly(self, size: int) -> bytes:
        while len(self._unread) < size:
            self._more()
        data, self._unread = self._unread[:size], self._unread[size:]
        return data

    def _more(self) -> None:
        data = self.open().recv(_PIECE)
        if not data:
            raise Broken("the connection ended before the answer did")
        self._unread += data


class _Closing:
    """Closes a wire when what is done with it fails: a broken connection is not used again."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            self._wire.close()


def server_process(registry: Running, wire: Wire) -> int | None:
    """Return which process of a registry holds the other end of a connection, as far as the kernel reports it."""
    inode = _other_end(wire.open())
    for pid in registry.processes():
        with suppress(OSError):
            for descriptor in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    if str(descriptor.readlink()) == f"socket:[{inode}]":
                        return pid
    return None


def _other_end(mine: socket.socket) -> str | None:
    """Return the inode of the socket at the other end of a local connection."""
    (host, port), (_peer, peer_port) = mine.getsockname(), mine.getpeername()
    octets = "".join(f"{int(octet):02X}" for octet in reversed(host.split(".")))
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _number, local, remote, *rest = line.split()
        if local.endswith(f":{peer_port:04X}") and remote == f"{octets}:{port:04X}":
            return rest[6]
    return None


def wires_to_each(registry: Running, *, each: int = 1) -> list[Wire]:
    """Return `each` connections to every process that answers, in turn: first one to each, then the second to each.

    Which process answers is chance (the kernel's), so it tries often enough to meet all of them.

    Raises: Broken when that was not often enough.
    """
    found: dict[int | None, list[Wire]] = {}
    for attempt in range(PROBES * max(each, 2)):
        wire = Wire(registry.address)
        wire.ask("GET", "/v2/")
        taken = found.setdefault(server_process(registry, wire), [])
        if len(taken) < each:
            taken.append(wire)
        else:
            wire.close()
        if attempt >= PROBES and all(len(wires) == each for wires in found.values()):
            return [wires[number] for number in range(each) for wires in found.values()]
    raise Broken(f"not {each} connections to each process: {[len(wires) for wires in found.values()]}")
