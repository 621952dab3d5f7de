"""The edge to the server (RSGI): its scope becomes a `Request`, our `Response` becomes its calls.

A response goes out before an unread body is drained: a client that waits for the answer has it at once, and one that
insists on sending first finds somebody who reads.
"""

import asyncio
import contextlib
import itertools
import os
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Protocol

from simple_registry.clock import Clock
from simple_registry.current import REQUEST
from simple_registry.http.access_log import Write, access_fields, write_record
from simple_registry.http.bodies import RequestBody
from simple_registry.http.dispatch import Dispatcher, Outcome
from simple_registry.http.messages import FileSpan, Headers, Parts, Request, Response, Unsent
from simple_registry.http.origins import Origins
from simple_registry.metrics.requests import NOWHERE, counted

COMMON_HEADERS: Headers = [("docker-distribution-api-version", "registry/2.0")]

BAD_REQUEST = 400
"""The audit stream has nothing to say of most answers up to this one; asking it would cost as much as counting."""

CLIENT_GONE = Response(499)
"""Stands in the log for the answer to a client that did not wait for one; the status is nginx's for this."""

_AT_ONCE = 64 * 1024
"""Bytes of the largest part of a file that is read before it is sent; larger ones are faster without Python."""

_IF_IN_MEMORY: int | None = getattr(os, "RWF_NOWAIT", None)
"""Linux's flag for reads that take no longer than a copy."""

_NOTHING_ELSE = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
"""Opens what may have taken a file's name since it was looked at: no link is followed, and no pipe is waited for."""

_PIECE = 256 * 1024
"""Bytes of a file read at a time where the server cannot send it by itself."""


Observe = Callable[[str, int, float, int, int], None]
"""Takes what `counted` calls the endpoint, status, seconds, and bytes received and sent of every request."""


class Scope(Protocol):
    """What RSGI says about a request."""

    method: str
    path: str
    query_string: str
    client: str
    scheme: str
    authority: str | None
    headers: "ScopeHeaders"


class ScopeHeaders(Protocol):
    """RSGI's headers, names in lower case."""

    def items(self) -> list[tuple[str, str]]:
        """Return every header line."""
        ...


class Transport(Protocol):
    """RSGI's open response."""

    async def send_bytes(self, data: bytes) -> None:
        """Send more."""
        ...


class HTTPProtocol(Protocol):
    """RSGI's side of one exchange."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...

    def response_empty(self, status: int, headers: Headers) -> None:
        """Send a response without content."""
        ...

    def response_bytes(self, status: int, headers: Headers, body: bytes) -> None:
        """Send bytes."""
        ...

    def response_file(self, status: int, headers: Headers, file: str) -> None:
        """Send a file."""
        ...

    def response_file_range(self, status: int, headers: Headers, file: str, start: int, end: int) -> None:
        """Send part of a file, `end` exclusive."""
        ...

    def response_stream(self, status: int, headers: Headers) -> Transport:
        """Begin a response whose content follows."""
        ...


class RsgiApplication:
    """Answers what the server hands over."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        origins: Origins,
        clock: Clock,
        observe: Observe,
        body_timeout: float,
        drain_size: int,
        drain_timeout: float,
        log: Write = write_record,
        audit: Callable[[Request, Outcome], None] | None = None,
    ) -> None:
        """Answer with `dispatcher`, and let `observe` count each request; sizes in bytes, times in seconds."""
        self._dispatcher = dispatcher
        self._log = log
        self._audit = audit
        self._origins = origins
        self._clock = clock
        self._observe = observe
        self._body_timeout = body_timeout
        self._drain_size = drain_size
        self._drain_timeout = drain_timeout
        self._id_prefix = secrets.token_hex(6)
        self._ids = itertools.count(1)

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        started = self._clock.monotonic()
        headers = _headers(scope.headers.items())
        body = RequestBody(aiter(protocol), announced=_announced(scope.method, headers), timeout=self._body_timeout)
        request = Request(
            method=scope.method,
            path=scope.path,
            query_string=scope.query_string,
            headers=headers,
            body=body,
            id=f"{self._id_prefix}-{next(self._ids):x}",
            client=self._origins.client(scope.client, headers),
            peer=scope.client,
            host=headers.get("host") or scope.authority or "",
            secure=scope.scheme == "https",
        )
        REQUEST.set(request.id)
        outcome = Outcome(CLIENT_GONE, note="the client gave up")
        try:
            await self._dispatcher.dispatch(request, outcome)
            response = outcome.response
            if self._audit is not None and (response.events or response.status > BAD_REQUEST):
                self._audit(request, outcome)
            await send(protocol, request, response)
        except asyncio.CancelledError:
            # The server cancels us when an HTTP/2 client resets its stream: nobody is left to answer, nothing is wrong.
            body.abandon()
            if self._audit is not None and outcome.response is CLIENT_GONE:
                self._audit(request, outcome)
        finally:
            seconds, response = self._clock.monotonic() - started, outcome.response
            sent = 0 if scope.method == "HEAD" else response.size
            name = outcome.matched.counted if outcome.matched else counted(NOWHERE, scope.method)
            self._observe(name, response.status, seconds, body.received, sent)
            self._log(access_fields(request, outcome, seconds=seconds))
        if "expect" not in headers and not body.finished:
            with contextlib.suppress(asyncio.CancelledError):  # likewise; this is the last thing that the task does
                await body.drain(size=self._drain_size, timeout=self._drain_timeout)


def _headers(items: list[tuple[str, str]]) -> Mapping[str, str]:
    """Return header lines by name; repeated ones are joined (RFC 9110, section 5.3)."""
    headers = dict(items)
    if len(headers) != len(items):
        headers = {}
        for name, value in items:
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def _announced(method: str, headers: Mapping[str, str]) -> int | None:
    """Return the length of the body, `None` where the client leaves it open; the server has checked the header."""
    length = headers.get("content-length")
    if length is not None:
        return int(length) if length.isascii() and length.isdigit() else None
    if method in {"GET", "HEAD"} and "transfer-encoding" not in headers:
        return 0
    return None


async def send(protocol: HTTPProtocol, request: Request, response: Response) -> None:
    """Send a response; one that answers a HEAD goes without its content."""
    headers = [*COMMON_HEADERS, ("x-request-id", request.id), *response.headers]
    content = response.content
    if request.method == "HEAD" or isinstance(content, Unsent) or response.size == 0:
        if response.status not in {204, 304}:
            headers.append(("content-length", str(response.size)))
        protocol.response_empty(response.status, headers)
    elif isinstance(content, bytes):
        protocol.response_bytes(response.status, headers, content)
    elif isinstance(content, FileSpan) and (data := _at_once(content)) is not None:
        protocol.response_bytes(response.status, headers, data)
    elif isinstance(content, FileSpan):
        headers.append(("content-length", str(content.span.size)))
        protocol.response_file_range(response.status, headers, content.file.path, content.span.start, content.span.stop)
    else:
        headers.append(("content-length", str(content.size)))
        await _send_parts(protocol.response_stream(response.status, headers), content)


def _at_once(part: FileSpan) -> bytes | None:
    """Return a small part of a file, if the kernel has it in memory: it need not wait for a disk, nor for a thread."""
    if part.span.size > _AT_ONCE or _IF_IN_MEMORY is None:
        return None
    try:
        fd = os.open(part.file.path, _NOTHING_ELSE)
    except OSError:
        return None
    try:
        buffer = bytearray(part.span.size)
        read = os.preadv(fd, [buffer], part.span.start, _IF_IN_MEMORY)
    except OSError:
        return None
    finally:
        os.close(fd)
    return bytes(buffer) if read == part.span.size else None


async def _send_parts(transport: Transport, parts: Parts) -> None:
    for piece in parts:
        if isinstance(piece, bytes):
            await transport.send_bytes(piece)
        else:
            with await asyncio.to_thread(open, piece.file.path, "rb") as file:
                await asyncio.to_thread(file.seek, piece.span.start)
                remaining = piece.span.size
                while remaining > 0:
                    data = await asyncio.to_thread(file.read, min(_PIECE, remaining))
                    if not data:
                        raise EOFError(piece.file.path)
                    await transport.send_bytes(data)
                    remaining -= len(data)
