"""A client over one connection, for generated content."""

import base64
import hashlib
import http.client
from typing import Self

from e2e.server import Registry
from harness.large_content import PIECE


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

    def request(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage]:
        """Send a request and drop the content of its response."""
        response = self.send(method, path, body, **headers)
        while response.read(len(PIECE)):
            pass
        return response.status, response.headers

    def start(self, repository: str) -> str:
        """Open an upload session and return its path."""
        status, headers = self.request("POST", f"/v2/{repository}/blobs/uploads/")
        assert status == 202
        return headers["location"]

    def pull(self, repository: str, digest: str) -> str:
        """Pull a blob; return the digest of the received bytes."""
        response = self.send("GET", f"/v2/{repository}/blobs/{digest}")
        assert response.status == 200
        hasher = hashlib.sha256()
        while data := response.read(len(PIECE)):
            hasher.update(data)
        return f"sha256:{hasher.hexdigest()}"
