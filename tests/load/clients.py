"""Clients that push and pull content which is made on the way and never held: as large as a test wants, and unique."""

import base64
import hashlib
import http.client
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from e2e.server import Registry

PIECE = bytes(range(256)) * 4096
"""One MiB."""


@dataclass(frozen=True, slots=True)
class Content:
    """`pieces` MiB that no other seed gives."""

    seed: int
    pieces: int

    @property
    def size(self) -> int:
        return self.pieces * len(PIECE)

    def __iter__(self) -> Iterator[bytes]:
        yield self.seed.to_bytes(8, "big") + PIECE[8:]
        for _ in range(self.pieces - 1):
            yield PIECE

    def digest(self) -> str:
        hasher = hashlib.sha256()
        for piece in self:
            hasher.update(piece)
        return f"sha256:{hasher.hexdigest()}"


class Client:
    """One connection to a registry over plain HTTP."""

    def __init__(self, registry: Registry) -> None:
        credentials = f"{registry.username}:{registry.password}".encode()
        self._headers = {"Authorization": f"Basic {base64.b64encode(credentials).decode()}"}
        self._connection = http.client.HTTPConnection(registry.host, timeout=300)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, method: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """Send a request whose response the caller reads."""
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body=body, headers={**self._headers, **names})
        return self._connection.getresponse()

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, http.client.HTTPMessage]:
        """Send a request and drop the content of its response."""
        response = self.send(method, path, body, **headers)
        while response.read(len(PIECE)):
            pass
        return response.status, response.headers

    def start(self, repository: str) -> str:
        """Open an upload session and return its path."""
        status, headers = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202
        return headers["location"]

    def pull(self, repository: str, digest: str) -> str:
        """Pull a blob and return the digest of what came."""
        response = self.send("GET", f"/v2/{repository}/blobs/{digest}")
        assert response.status == 200
        hasher = hashlib.sha256()
        while data := response.read(len(PIECE)):
            hasher.update(data)
        return f"sha256:{hasher.hexdigest()}"
