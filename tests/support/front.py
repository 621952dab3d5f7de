"""An in-process client: it hands exchanges to the whole application, as the wire would.

Heads pass through the wire's parser, and every answer is checked for what no answer may do: come twice, or carry
another length than it announces.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

from simple_registry.access.passwords import verify_password
from simple_registry.access.rules import AccessRules
from simple_registry.access.signed_tokens import GivenKey
from simple_registry.application import Application
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.issuer_keys import IssuerKeys
from simple_registry.authentication.login_memory import LoginMemory
from simple_registry.authentication.password_verifier import Verify
from simple_registry.config.settings import Settings
from simple_registry.content import ContentInterrupted
from simple_registry.http.access_log import Write, write_record
from simple_registry.metrics.measures import Measures
from simple_registry.metrics.processes import Processes
from simple_registry.metrics_wiring import LAYOUT
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from simple_registry.operations.uploads import new_session_id
from simple_registry.services import Logins, Trust, build_services
from simple_registry.upstream.protocols import UpstreamFault
from simple_registry.wire.answers import Answer, Part, Parts, Unsent
from simple_registry.wire.exchange import Client
from simple_registry.wire.heads import HeadParser, RequestHead, RequestRefused
from support.access import ADMINISTRATOR, PASSWORD, PASSWORD_HASH, rules as rules_of
from support.stores import Kept
from support.time import SettableClock

CLIENT = "192.0.2.7"
AUTHORITY = "registry.example:5000"
SECRET = b"the signing key of every front"

__all__ = [
    "ADMINISTRATOR",
    "AUTHORITY",
    "CLIENT",
    "PASSWORD",
    "PASSWORD_HASH",
    "SECRET",
    "Exchange",
    "Front",
    "Reply",
    "basic",
]

Content = bytes | Sequence[bytes] | AsyncIterator[bytes]
"""All at once, in chunks, or as a client that takes its time; the latter two announce no length by themselves."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `taken` bytes of the request's body had been read when it was given."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    taken: int

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name]

    def header(self, name: str) -> str | None:
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def location(self) -> str:
        value = self.header("location")
        assert value is not None, "no Location"
        return value

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [error["code"] for error in self.json["errors"]]

    @property
    def stable_headers(self) -> set[tuple[str, str]]:
        """The headers that do not name this very request."""
        return {(name, value) for name, value in self.headers if name != "x-request-id"}


class Body:
    """The body of a request; one that ends before its announced length is interrupted."""

    def __init__(self, source: AsyncIterator[bytes], announced: int | None) -> None:
        self._source = source
        self.announced = announced
        self.received = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._source:
            self.received += len(chunk)
            yield chunk
        if self.announced is not None and self.received < self.announced:
            raise ContentInterrupted(self.received, self.announced)

    def reserve(self, size: int) -> bool:
        return size >= 0


@dataclass
class Exchange:
    """The wire's side of one request."""

    head: RequestHead
    body: Body
    client: Client
    peer: str = CLIENT
    secure: bool = False
    reply: Reply | None = None
    cached: object = None

    async def send(self, answer: Answer, *further: tuple[str, str]) -> None:
        assert self.reply is None, "answered twice"
        content = answer.content
        headers = [*answer.headers, *further]
        for name, value in headers:
            assert name == name.lower()
            assert not set(value) & set("\r\n\0"), f"{name} would split the response"
        assert "content-length" not in dict(headers)
        if answer.status not in {204, 304}:
            headers.append(("content-length", str(answer.size)))
        pieces = content.pieces if isinstance(content, Parts) else () if isinstance(content, Unsent) else (content,)
        body = b"".join([piece if isinstance(piece, bytes) else await _bytes_of(piece) for piece in pieces])
        if self.head.method == "HEAD":
            body = b""
        else:
            assert isinstance(content, Unsent) or len(body) == answer.size, "the length is a lie"
        self.reply = Reply(answer.status, tuple(headers), body, self.body.received)


async def _bytes_of(part: Part) -> bytes:
    return b"".join([piece async for piece in part.content.stream(part.span)])


@dataclass(slots=True)
class SettableAccess:
    """The rules in force, until a test puts others in their place, as a reload would."""

    rules: AccessRules
    stale: str | None = None


class _NoNetwork:
    """Fetches nothing."""

    async def fetch(self, url: str) -> bytes:
        raise UpstreamFault(f"no network for {url}")


class Front:
    """A running application and its clients."""

    def __init__(
        self,
        kept: Kept,
        clock: SettableClock,
        settings: Settings | None = None,
        *,
        rules: AccessRules | None = None,
        sessions: Iterator[str] | None = None,
        audit: Callable[[Mapping[str, object]], None] | None = None,
    ) -> None:
        """Serve `kept` by these rules; without any, the administrator has every permission.

        `sessions` yields the ids of uploads; `audit` receives the lines of the audit log.
        """
        self.kept = kept
        self.clock = clock
        self.verify: Verify = verify_password
        """Verifies passwords, until a test puts another function in its place."""
        self.log: Write = write_record
        """Writes lines of the access log, until a test does."""
        self.access = SettableAccess(rules or rules_of())
        self.secure = True
        """Whether requests come over TLS."""
        self._loop = asyncio.new_event_loop()
        external = ExternalTokens(IssuerKeys(_NoNetwork(), clock), clock)
        settings, measures = settings or Settings(), Measures(Processes(LAYOUT, 1))
        self.services = build_services(
            settings,
            kept.stores,
            Trust(self.access, GivenKey(SECRET), external),
            clock,
            logins=Logins(LoginMemory()),
            metrics=measures.text,
            new_session=new_session_id if sessions is None else lambda: next(sessions),
            verify=lambda password, stored, *, cost: self.verify(password, stored, cost=cost),
        )
        self.application = Application(
            self.services, settings, clock, measures=measures, audit=audit, log=self._write_log
        )

    def _write_log(self, fields: Mapping[str, object]) -> None:
        self.log(fields)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.run(self.application.stop())
        self.run(self._loop.shutdown_default_executor())
        self._loop.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run something on the loop that the application lives on."""
        return self._loop.run_until_complete(work)

    async def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        body: Content = b"",
        user: str | None = ADMINISTRATOR,
        password: str = PASSWORD,
        token: str | None = None,
        client: str = CLIENT,
    ) -> Reply:
        """Send a request from an address; `user=None` sends no credentials, `token` is sent as Bearer instead."""
        given = headers.items() if isinstance(headers, Mapping) else headers
        lines = [(name.lower(), value) for name, value in given]
        names = {name for name, _ in lines}
        if token is not None:
            lines.append(("authorization", f"Bearer {token}"))
        elif user is not None and "authorization" not in names:
            lines.append(("authorization", basic(user, password)))
        if isinstance(body, bytes) and "content-length" not in names and (body or method in {"POST", "PUT", "PATCH"}):
            lines.append(("content-length", str(len(body))))
        elif not isinstance(body, bytes) and "content-length" not in names:
            lines.append(("transfer-encoding", "chunked"))
        if "host" not in names:
            lines.append(("host", AUTHORITY))
        http = self.application.http
        try:
            head = HeadParser().parse(_head(method, target, lines))
        except RequestRefused as refused:
            answer = http.refuse(client, refused)
            return Reply(answer.status, tuple(answer.headers), answer.content, 0)
        exchange = Exchange(
            head,
            Body(_chunks(body), head.length),
            self.application.find_client(client, head),
            client,
            secure=self.secure,
        )
        await http(exchange)
        assert exchange.reply is not None, "never answered"
        return exchange.reply

    def request(self, method: str, target: str, **how: Any) -> Reply:
        return self.run(self.send(method, target, **how))

    def together(self, *requests: Coroutine[Any, Any, Reply]) -> list[Reply]:
        """Send several requests at once."""

        async def gather() -> list[Reply]:
            return await asyncio.gather(*requests)

        return self.run(gather())

    def get(self, target: str, **how: Any) -> Reply:
        return self.request("GET", target, **how)

    def head(self, target: str, **how: Any) -> Reply:
        return self.request("HEAD", target, **how)

    def post(self, target: str, **how: Any) -> Reply:
        return self.request("POST", target, **how)

    def put(self, target: str, **how: Any) -> Reply:
        return self.request("PUT", target, **how)

    def patch(self, target: str, **how: Any) -> Reply:
        return self.request("PATCH", target, **how)

    def delete(self, target: str, **how: Any) -> Reply:
        return self.request("DELETE", target, **how)

    def push_blob(self, repository: str, data: bytes, algorithm: str = "sha256") -> Digest:
        """Push a blob that must be accepted."""
        digest = digest_of(data, algorithm)
        reply = self.post(f"/v2/{repository}/blobs/uploads/?digest={digest}", body=data)
        assert reply.status == 201, reply
        return digest

    def push_manifest(
        self, repository: str, reference: str, data: bytes, kind: str | None = OCI_IMAGE_MANIFEST
    ) -> Digest:
        """Push a manifest that must be accepted; its parts must have been pushed before."""
        headers = {} if kind is None else {"content-type": kind}
        reply = self.put(f"/v2/{repository}/manifests/{reference}", body=data, headers=headers)
        assert reply.status == 201, reply
        return digest_of(data)

    def open_session(self, repository: str, query: str = "") -> str:
        """Open an upload session and return its location."""
        reply = self.post(f"/v2/{repository}/blobs/uploads/{query}")
        assert reply.status == 202, reply
        return reply.location

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Check that the stores keep after the block exactly what they kept before it."""
        self.settle()
        before = self.kept.snapshot()
        yield
        self.settle()
        assert self.kept.snapshot() == before

    def settle(self) -> None:
        """Wait until the uses of issued tokens are recorded, which happens in the background."""
        self.run(self.services.registry.tokens.finish_touches())


def basic(user: str, password: str) -> str:
    """Return the `Authorization` header of a user."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _head(method: str, target: str, lines: Sequence[tuple[str, str]]) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{method} {target} HTTP/1.1\r\n{headers}\r\n".encode("utf-8", "surrogateescape")


async def _chunks(body: Content) -> AsyncIterator[bytes]:
    if isinstance(body, bytes):
        if body:
            yield body
    elif isinstance(body, Sequence):
        for chunk in body:
            await asyncio.sleep(0)
            yield chunk
    else:
        async for chunk in body:
            yield chunk
