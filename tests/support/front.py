"""An in-process client: it speaks RSGI to the whole application, as the server underneath would.

Paths reach the application percent-decoded, a body that the client breaks off just ends, and every answer is checked
for what no answer may do: come twice, or carry another length than it announces.
"""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from unittest import mock
from urllib.parse import unquote

from simple_registry import app
from simple_registry.access.given_key import GivenKey
from simple_registry.access.identity import Identity
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, Policy
from simple_registry.access.rules import AccessRules
from simple_registry.config.live_access import ReloadStatus
from simple_registry.config.settings import Settings
from simple_registry.http.external_tokens import ExternalTokens
from simple_registry.http.issuer_keys import IssuerKeys
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from simple_registry.upstream.protocols import UpstreamFault
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

Body = bytes | Sequence[bytes] | AsyncIterator[bytes]
"""All at once, in chunks, or as a client that takes its time; the latter two announce no length by themselves."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; `taken` bytes of the request's body had been read when it was given, `read` in the end."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    taken: int
    read: int

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


@dataclass
class _Scope:
    method: str
    path: str
    query_string: str
    headers: "_ScopeHeaders"
    client: str
    authority: str = AUTHORITY
    scheme: str = "http"


class _ScopeHeaders:
    def __init__(self, lines: list[tuple[str, str]]) -> None:
        self._lines = lines

    def items(self) -> list[tuple[str, str]]:
        return list(self._lines)


@dataclass
class Exchange:
    """The server's side of one request."""

    source: AsyncIterator[bytes]
    method: str
    status: int | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)
    read: int = 0
    taken: int = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self.source:
            self.read += len(chunk)
            yield chunk

    def _begin(self, status: int, headers: list[tuple[str, str]]) -> None:
        assert self.status is None, "answered twice"
        for name, value in headers:
            assert name == name.lower()
            assert not set(value) & set("\r\n\0"), f"{name} would split the response"
        self.status, self.headers, self.taken = status, list(headers), self.read

    def response_empty(self, status: int, headers: list[tuple[str, str]]) -> None:
        self._begin(status, headers)

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self._begin(status, headers)
        self.body += body
        if "content-length" not in dict(headers):
            self.headers.append(("content-length", str(len(body))))

    def response_file(self, status: int, headers: list[tuple[str, str]], file: str) -> None:
        self._begin(status, headers)
        self.body += Path(file).read_bytes()

    def response_file_range(self, status: int, headers: list[tuple[str, str]], file: str, start: int, end: int) -> None:
        self._begin(status, headers)
        self.body += Path(file).read_bytes()[start:end]

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> "Exchange":
        self._begin(status, headers)
        return self

    async def send_bytes(self, data: bytes) -> None:
        self.body += data

    def reply(self) -> Reply:
        assert self.status is not None, "never answered"
        length = dict(self.headers).get("content-length")
        if length is not None and self.method != "HEAD":
            assert int(length) == len(self.body), "the length is a lie"
        assert self.method != "HEAD" or not self.body
        assert length is not None or self.status in {204, 304}, "no length"
        return Reply(self.status, tuple(self.headers), bytes(self.body), self.taken, self.read)


@dataclass(slots=True)
class SettableAccess:
    """The rules in force, until a test puts others in their place, as a reload would."""

    rules: AccessRules
    status: ReloadStatus = field(default_factory=ReloadStatus)


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
        users: Iterable[str] = (),
        policy: Policy | None = None,
        rules: AccessRules | None = None,
        sessions: Iterator[str] | None = None,
        audit: Callable[[Mapping[str, object]], None] | None = None,
    ) -> None:
        """Serve `kept`; `rules` say who may what: without them the administrator everything, or what `policy` says.

        Further `users` have the administrator's password; `sessions` gives ids to uploads; `audit` takes lines.
        """
        self.kept = kept
        self.clock = clock
        self.access = SettableAccess(rules or _simple_rules(users, policy))
        self._loop = asyncio.new_event_loop()
        external = ExternalTokens(IssuerKeys(_NoNetwork(), clock), clock)
        trust = app.Trust(self.access, GivenKey(SECRET), external)
        with ExitStack() as composition:
            if sessions is not None:
                composition.enter_context(
                    mock.patch.object(app, "Uploads", partial(app.Uploads, new_session=lambda: next(sessions)))
                )
            self.application = app.RegistryApplication(settings or Settings(), kept.stores, trust, clock, audit=audit)

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
        body: Body = b"",
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
        path, _, query = target.partition("?")
        exchange = Exchange(_chunks(body), method)
        scope = _Scope(method, unquote(path), query, _ScopeHeaders(lines), f"{client}:40000")
        await self.application.__rsgi__(scope, exchange)
        return exchange.reply()

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
        """Push a manifest that must be accepted; its parts are pushed first by whoever made it."""
        headers = {} if kind is None else {"content-type": kind}
        reply = self.put(f"/v2/{repository}/manifests/{reference}", body=data, headers=headers)
        assert reply.status == 201, reply
        return digest_of(data)

    def open_session(self, repository: str, query: str = "") -> str:
        """Open an upload session and return where it goes on."""
        reply = self.post(f"/v2/{repository}/blobs/uploads/{query}")
        assert reply.status == 202, reply
        return reply.location

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Check that the stores keep after the block exactly what they kept before it."""
        before = self.kept.snapshot()
        yield
        assert self.kept.snapshot() == before


def basic(user: str, password: str) -> str:
    """Return the `Authorization` header of a user."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


async def _chunks(body: Body) -> AsyncIterator[bytes]:
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


def _simple_rules(users: Iterable[str], policy: Policy | None) -> AccessRules:
    known = rules_of(users=users)
    return known if policy is None else replace(known, policy=_Deciding(policy))  # type: ignore[arg-type]


class _Deciding:
    """A policy that only decides, with the question for listings asked of the same decision."""

    def __init__(self, policy: Policy) -> None:
        self.decide = policy.decide

    def reach(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        return lambda scope: isinstance(self.decide(identity, Permission(verb, resource, scope)), Allowed)
