"""A server of whole objects: PUT, GET, HEAD and DELETE of `/<key>`, and LIST as GET of `/?prefix=…`.

    python -m support.object_store.server      prints its port, and serves until its standard input ends

A PUT that breaks off stores nothing. Objects are kept in memory: registries may die, this server does not.
"""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

OBJECTS: dict[str, tuple[float, bytes]] = {}
"""When each object was put, and its bytes."""
LOCK = Lock()


class Server(ThreadingHTTPServer):
    """Serves many clients at once, and logs no disconnects."""

    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what is not a client that left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Answers one request; every connection has one."""

    def do_PUT(self) -> None:
        """Keep an object, in the place of what was there."""
        size = int(self.headers["content-length"])
        data = self.rfile.read(size)
        if len(data) < size:
            return
        with LOCK:
            OBJECTS[self._key] = (time.time(), data)
        self._answer(201)

    def do_GET(self) -> None:
        """Send an object, or the list of keys with a prefix: key, size, and when it was put."""
        parts = urlsplit(self.path)
        if parts.path == "/":
            prefix = parse_qs(parts.query)["prefix"][0]
            with LOCK:
                found = [
                    (key, len(data), put) for key, (put, data) in sorted(OBJECTS.items()) if key.startswith(prefix)
                ]
            self._answer(200, json.dumps(found).encode())
        else:
            self._send()

    def do_HEAD(self) -> None:
        """Send the size of an object."""
        self._send()

    def do_DELETE(self) -> None:
        """Remove an object; an absent one is fine."""
        with LOCK:
            OBJECTS.pop(self._key, None)
        self._answer(204)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as it is in the base class)
        """Log nothing."""

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path[1:])

    def _send(self) -> None:
        with LOCK:
            _put, data = OBJECTS.get(self._key, (0.0, None))
        if data is None:
            self._answer(404)
        else:
            self._answer(200, data)

    def _answer(self, status: int, data: bytes = b"") -> None:
        self.send_response(status)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


def main() -> None:
    """Serve on a free port of loopback until standard input ends."""
    server = Server(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
