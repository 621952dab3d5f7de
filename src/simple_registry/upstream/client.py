"""Fetching a small public document over HTTPS, within bounds of time and size, sending no credentials.

Certificates are verified against those of the system (`SSL_CERT_FILE` names others). Plain HTTP is for loopback hosts
only. A redirect is followed on the same host only, since the host is what the configuration trusts.
"""

import asyncio
import concurrent.futures
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from errno import ETIMEDOUT
from http import HTTPStatus
from urllib.parse import SplitResult, urljoin, urlsplit

from simple_registry.upstream.protocols import UpstreamFault

STEP_TIMEOUT = 5.0
"""Seconds to wait for a connection, and for each next piece of an answer."""

DEADLINE = 15.0
"""Seconds after which a fetch is over, however lively it is. The resolver of names has no bound of its own."""

_GRACE = 1.0
"""Seconds that a fetch which was cut at the deadline has to say so itself."""

LARGEST = 1024 * 1024
MOST_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"Accept": "application/json, */*;q=0.1", "Accept-Encoding": "identity", "User-Agent": "simple-registry"}


@dataclass(frozen=True, slots=True)
class _Target:
    """Where to ask for what."""

    secure: bool
    host: str
    port: int
    path: str


class HttpsFetcher:
    """Fetches documents, each in a thread of its own."""

    def __init__(
        self, context: ssl.SSLContext | None = None, *, step_timeout: float = STEP_TIMEOUT, deadline: float = DEADLINE
    ) -> None:
        """Verify certificates with `context`."""
        self._context = context or ssl.create_default_context()
        self._step_timeout = step_timeout
        self._deadline = deadline

    async def fetch(self, url: str) -> bytes:
        """Return the document at `url`.

        Raises: UpstreamFault.
        """
        answer: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        # A thread that hangs in the resolver must not keep others from a pool, nor the process from its end.
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
        for _ in range(MOST_REDIRECTS + 1):
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
        """Lend a connection that is cut at the deadline."""
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
            if late.is_set():  # an answer without a length looks whole when it is cut
                raise TimeoutError(ETIMEDOUT, "it takes too long")
        finally:
            cut.cancel()
            connection.close()
            current[0].close()


def _target(url: str) -> _Target:
    """Return what a URL means.

    Raises: UpstreamFault for one that is not asked for.
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
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise UpstreamFault(f"{parts.hostname} is asked over https:// only")
    secure = parts.scheme == "https"
    return _Target(secure, parts.hostname, port or (443 if secure else 80), _path(parts))


def _path(parts: SplitResult) -> str:
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _document(response: http.client.HTTPResponse) -> bytes:
    """Return the body of an answer.

    Raises: UpstreamFault; OSError and HTTPException as the connection does.
    """
    if response.status != HTTPStatus.OK:
        raise UpstreamFault(f"the answer has status {response.status}")
    if (response.length or 0) > LARGEST:
        raise UpstreamFault(f"the document is larger than {LARGEST} bytes")
    data = response.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise UpstreamFault(f"the document is larger than {LARGEST} bytes")
    if response.length:
        raise UpstreamFault("the document is cut off")
    return data


def _cut(current: list[socket.socket], late: threading.Event) -> None:
    late.set()
    try:
        # The plain socket's own method: that of TLS would forget the encryption and leave whoever reads confused.
        socket.socket.shutdown(current[0], socket.SHUT_RDWR)
    except OSError:
        return  # it is over already


def _reason(error: Exception) -> str:
    """Return why a connection failed, in words of this machine, not of the other."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__
