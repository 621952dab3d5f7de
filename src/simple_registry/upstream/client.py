"""Fetches a small public document over HTTPS, with limits of time and size and without credentials.

Certificates are verified against the system's authorities (or those in `SSL_CERT_FILE`). Plain HTTP is allowed for
loopback hosts only. Redirects are followed on the same host only, since the configuration trusts that host.
"""

import asyncio
import concurrent.futures
import http.client
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from errno import ETIMEDOUT
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from simple_registry.networks import is_loopback
from simple_registry.upstream.protocols import UpstreamFault

STEP_TIMEOUT = 5.0
"""Seconds to wait for a connection, and for each next piece of an answer."""

DEADLINE = 15.0
"""Seconds after which a fetch is aborted, even if data still arrives. The name resolver has no timeout of its own."""

_GRACE = 1.0
"""Seconds that an aborted fetch has to report its own error."""

MAX_SIZE = 1024 * 1024
MAX_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "simple-registry"}


@dataclass(frozen=True, slots=True)
class _Target:
    """The parts of a URL that a request needs."""

    secure: bool
    host: str
    port: int
    path: str


class HttpsFetcher:
    """Fetches each document in a thread of its own."""

    def __init__(
        self, context: ssl.SSLContext | None = None, *, step_timeout: float = STEP_TIMEOUT, deadline: float = DEADLINE
    ) -> None:
        self._context = context or ssl.create_default_context()
        self._step_timeout = step_timeout
        self._deadline = deadline

    async def fetch(self, url: str) -> bytes:
        """Return the document at `url`."""
        answer: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        # A daemon thread for each: one that hangs in the resolver must not block a pool, nor the exit of the process.
        threading.Thread(target=self._work, args=(url, answer), name="fetch", daemon=True).start()
        try:
            return await asyncio.wait_for(asyncio.wrap_future(answer), self._deadline + _GRACE)
        except TimeoutError:
            raise UpstreamFault(f"{urlsplit(url).hostname} does not answer: it takes too long") from None

    def _work(self, url: str, answer: concurrent.futures.Future[bytes]) -> None:
        if not answer.set_running_or_notify_cancel():
            return
        try:
            answer.set_result(self._fetch(url))
        except BaseException as error:  # noqa: BLE001 (it is raised where the answer is awaited)
            answer.set_exception(error)

    def _fetch(self, url: str) -> bytes:
        first = target = _target(url)
        for _ in range(MAX_REDIRECTS + 1):
            try:
                with self._connection(target) as connection:
                    connection.request("GET", target.path, headers=_HEADERS)
                    with closing(connection.getresponse()) as response:
                        if response.status not in _REDIRECTS:
                            return _document(response)
                        url = urljoin(url, response.headers.get("Location", ""))
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise UpstreamFault(f"{target.host} does not answer: {_reason(error)}") from error
            target = _target(url)
            if (target.secure, target.host, target.port) != (first.secure, first.host, first.port):
                raise UpstreamFault(f"{first.host} redirects to another host")
        raise UpstreamFault(f"{first.host} redirects in circles")

    @contextmanager
    def _connection(self, target: _Target) -> Iterator[http.client.HTTPConnection]:
        """Open a connection that is shut down at the deadline."""
        connection = http.client.HTTPConnection(target.host, target.port)
        current = [socket.create_connection((target.host, target.port), self._step_timeout)]
        late = threading.Event()
        cut = threading.Timer(self._deadline, _cut, [current, late])
        cut.daemon = True
        cut.start()
        try:
            if target.secure:
                # The handshake is a step of its own, so that the deadline can cut it too.
                current[0] = secured = self._context.wrap_socket(
                    current[0], server_hostname=target.host, do_handshake_on_connect=False
                )
                secured.do_handshake()
            connection.sock = current[0]
            yield connection
            if late.is_set():  # a response without a length looks complete when it is cut off
                raise TimeoutError(ETIMEDOUT, "it takes too long")
        finally:
            cut.cancel()
            connection.close()
            current[0].close()


def _target(url: str) -> _Target:
    """Return the target of a URL.

    Raises: UpstreamFault when the URL is not allowed.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise UpstreamFault("not a URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.password:
        raise UpstreamFault("only https:// URLs without credentials are fetched")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise UpstreamFault("a URL holds ASCII characters without spaces")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise UpstreamFault(f"{parts.hostname} is fetched over https:// only")
    secure = parts.scheme == "https"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _Target(secure, parts.hostname, port or (443 if secure else 80), path)


def _document(response: http.client.HTTPResponse) -> bytes:
    """Return the body of a response.

    Raises: UpstreamFault; OSError and HTTPException as the connection does.
    """
    if response.status != HTTPStatus.OK:
        raise UpstreamFault(f"the response has status {response.status}")
    if (response.length or 0) > MAX_SIZE:
        raise UpstreamFault(f"the document is larger than {MAX_SIZE} bytes")
    data = response.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise UpstreamFault(f"the document is larger than {MAX_SIZE} bytes")
    if response.length:
        raise UpstreamFault("the document is cut off")
    return data


def _cut(current: list[socket.socket], late: threading.Event) -> None:
    late.set()
    try:
        # The method of the plain socket: SSLSocket.shutdown drops the TLS state under the thread that reads.
        socket.socket.shutdown(current[0], socket.SHUT_RDWR)
    except OSError:
        return  # already closed


def _reason(error: Exception) -> str:
    """Return why a connection failed, without any text from the other server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
