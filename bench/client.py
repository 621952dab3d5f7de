"""One connection for pushes of large blobs and for single requests.

Python is not the bottleneck: it sends bytes from memory at the speed of the loopback (figure in README.md).
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from typing import Any

from bench.generators import LoadFailed, NotOffered
from bench.plans import MANIFEST, OCTETS, Way

CHUNK = 16 * 1024 * 1024
"""Bytes of one PATCH of an upload in chunks."""
PIECE = 32 * 1024
"""Bytes of one HTTP chunk of docker: the buffer size of Go's `io.Copy`."""


class Client:
    """A connection with every permission."""

    def __init__(self, connection: HTTPConnection, headers: Mapping[str, str]) -> None:
        self._connection = connection
        self._headers = dict(headers)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        expect: int | None = None,
        **headers: str,
    ) -> HTTPResponse:
        """Send a request, read the answer, and drop its content.

        Raises:
            LoadFailed: the status is not the expected one.
        """
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request(method, path, body, self._headers | names)
        response = self._connection.getresponse()
        content = response.read()
        if expect is not None and response.status != expect:
            raise LoadFailed(f"{method} {path}: {response.status} {content[:300]!r}")
        return response

    def read(self, path: str) -> bytes:
        """Return the content of a GET.

        Raises:
            LoadFailed: the answer is not 200.
        """
        self._connection.request("GET", path, headers={"Accept": f"{MANIFEST}, */*", **self._headers})
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise LoadFailed(f"GET {path}: {response.status} {content[:300]!r}")
        return content

    def push(self, repository: str, content: memoryview | bytes, digest: str, way: Way) -> float:
        """Push a blob and return the seconds it took.

        Raises:
            LoadFailed
            NotOffered: the registry does not take a blob in this way.
        """
        started = time.perf_counter()
        uploads = f"/v2/{repository}/blobs/uploads/"
        if way is Way.SINGLE:
            response = self.request("POST", f"{uploads}?digest={digest}", content, Content_Type=OCTETS)
            if response.status == 202:
                raise NotOffered(f"{digest} in one POST")
            if response.status != 201:
                raise LoadFailed(f"one POST: {response.status}")
            return time.perf_counter() - started
        session = self.start(repository)
        if way is Way.PATCH:
            session = _location(self.request("PATCH", session, content, 202, Content_Type=OCTETS))
        elif way is Way.CHUNKS:
            for start in range(0, len(content), CHUNK):
                piece = content[start : start + CHUNK]
                span = f"{start}-{start + len(piece) - 1}"
                session = _location(self.request("PATCH", session, piece, 202, Content_Type=OCTETS, Content_Range=span))
        self.finish(session, content if way is Way.PUT else b"", digest)
        return time.perf_counter() - started

    def push_as_docker(self, repository: str, content: memoryview, digest: str) -> float:
        """Push a blob as docker does and return the seconds it took.

        Docker sends one PATCH with `Transfer-Encoding: chunked`, then a PUT without content.

        Raises:
            LoadFailed
        """
        started = time.perf_counter()
        session = self.start(repository)
        # http.client sends each item of an iterator as one HTTP chunk.
        pieces = (content[start : start + PIECE] for start in range(0, len(content), PIECE))
        session = _location(self.request("PATCH", session, pieces, 202, Content_Type=OCTETS))
        self.finish(session, b"", digest)
        return time.perf_counter() - started

    def start(self, repository: str) -> str:
        """Open an upload session and return its path. Raises: LoadFailed."""
        return _location(self.request("POST", f"/v2/{repository}/blobs/uploads/", b"", 202))

    def finish(self, session: str, content: object, digest: str, size: int | None = None) -> None:
        """Send the rest of a blob and close its session; `size` is needed for content that has no length.

        Raises:
            LoadFailed
        """
        length = {} if size is None else {"Content_Length": str(size)}
        path = f"{session}{'&' if '?' in session else '?'}digest={digest}"
        self.request("PUT", path, content, 201, Content_Type=OCTETS, **length)


def _location(response: HTTPResponse) -> str:
    location = response.headers["Location"]
    return "/" + location.split("/", 3)[3] if "://" in location else location


@contextmanager
def connect(address: str, headers: Mapping[str, str], authority: Path | None = None) -> Iterator[Client]:
    """Open a connection for the length of the block; over TLS if `authority` is given."""
    connection = HTTPConnection(address, timeout=300)
    if authority is not None:
        connection = HTTPSConnection(address, timeout=300, context=create_default_context(cafile=str(authority)))
    try:
        yield Client(connection, headers)
    finally:
        connection.close()
