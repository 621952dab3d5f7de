"""Which endpoint is meant: one table from method and path to handler and the permission that it needs.

Paths arrive percent-decoded, so each is matched as a whole, with the grammars of names, tags and digests deciding
afterwards. Names are matched greedily and the last segments are fixed, so a repository may be called `a/manifests`.
An endpoint that declares no need cannot be written down: `needs` has no default.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Generic, Protocol

from simple_registry.access.permission import CATALOG_SCOPE, Permission, Resource, scope_of
from simple_registry.http.call import (
    Call,
    DigestTarget,
    ManifestTarget,
    NoTarget,
    Registry,
    RepositoryTarget,
    SessionTarget,
    Target,
)
from simple_registry.http.handlers import base, blobs, discovery, issued_tokens, manifests, token_exchange, uploads
from simple_registry.http.messages import Request, Response
from simple_registry.http.standing import Standing
from simple_registry.metrics.requests import METHODS, counted
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.errors import ManifestUnknown, NotFound, TagInvalid, Unsupported
from simple_registry.oci.names import parse_reference, parse_repository_name

REMEMBERED = 4096
"""Most paths whose endpoint is remembered, by each worker."""

KNOWN_METHODS = frozenset({*METHODS, "OPTIONS", "TRACE"})
"""Methods that a path may refuse; all others are refused everywhere."""

LONGEST_REMEMBERED = 512
"""Characters of the longest path that is remembered: they are the client's choice, and memory is ours."""


class Entry(StrEnum):
    """What an endpoint needs that belongs to no resource."""

    PUBLIC = "public"  # nothing at all
    ANYBODY = "anybody"  # valid credentials, or none where there is an anonymous user
    LOGIN = "login"  # valid credentials


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Target]):
    """What answers one method of a route: its ids in the specification, what it needs, and its handler."""

    ids: str
    needs: Resource | Entry
    handle: Callable[[Call[Target]], Awaitable[Response]]
    verb: str | None = None
    """The verb of the permission, where it is not the method."""
    continues: bool = False
    """Whether a credential that expired meanwhile is still good here, for a session that it began."""
    name: str = field(init=False)
    """What metrics and the audit stream call it: the name of its handler."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.handle.__name__)


Answer = Callable[[Request, Registry, Standing], Awaitable[Response]]
"""Runs the handler of a matched endpoint for an authorised request."""


@dataclass(frozen=True, slots=True)
class Matched:
    """The endpoint of a request: what it needs, the permission for that (`None` for an `Entry`), and its answer.

    `counted` is what metrics call it, `continues` as in `Endpoint`.
    """

    name: str
    counted: str
    target: object
    needs: Resource | Entry
    permission: Permission | None
    continues: bool
    answer: Answer


@dataclass(frozen=True, slots=True)
class Route(Generic[Target]):
    """A shape of path: how its values are parsed, which scope they lie in, and what answers each method."""

    pattern: re.Pattern[str]
    parse: Callable[[str, re.Match[str]], Target]
    scope: Callable[[Target], str]
    endpoints: Mapping[str, Endpoint[Target]]

    def matched(self, method: str, match: re.Match[str]) -> Matched:
        """Return the endpoint for a method, with the values of a path that fits the pattern.

        Raises: MethodNotAllowed, NameInvalid, DigestInvalid, TagInvalid, ManifestUnknown.
        """
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            raise MethodNotAllowed(sorted(self.endpoints))
        target = self.parse(method, match)
        needs = endpoint.needs
        verb = endpoint.verb or method
        permission = Permission(verb, needs, self.scope(target)) if isinstance(needs, Resource) else None

        def answer(request: Request, registry: Registry, standing: Standing) -> Awaitable[Response]:
            return endpoint.handle(Call(request, target, registry, standing))

        return Matched(
            endpoint.name, counted(endpoint.name, method), target, needs, permission, endpoint.continues, answer
        )


class AnyRoute(Protocol):
    """A `Route` whatever its target."""

    @property
    def pattern(self) -> re.Pattern[str]:
        """The paths it answers for."""
        ...

    @property
    def endpoints(self) -> Mapping[str, "AnyEndpoint"]:
        """What answers each method."""
        ...

    def matched(self, method: str, match: re.Match[str]) -> Matched:
        """See `Route.matched`."""
        ...


class AnyEndpoint(Protocol):
    """An `Endpoint` whatever its target."""

    @property
    def ids(self) -> str:
        """Ids of the specification, or a name of ours."""
        ...

    @property
    def name(self) -> str:
        """See `Endpoint.name`."""
        ...

    @property
    def needs(self) -> Resource | Entry:
        """What a caller needs."""
        ...


class MethodNotAllowed(Unsupported):
    """code-13: the path exists, but not with this method; `allowed` goes into `Allow`."""

    def __init__(self, allowed: Sequence[str]) -> None:
        """Keep the methods that the path has."""
        super().__init__(allowed=list(allowed))
        self.allowed = allowed


class MethodUnknown(Unsupported):
    """code-13: no endpoint has this method (RFC 9110, section 9.1)."""

    message = "the method is not known here"
    status = 501


def _nothing(_method: str, _match: re.Match[str]) -> NoTarget:
    return NoTarget()


def _repository(_method: str, match: re.Match[str]) -> RepositoryTarget:
    return RepositoryTarget(parse_repository_name(match["name"]))


def _digest(_method: str, match: re.Match[str]) -> DigestTarget:
    return DigestTarget(parse_repository_name(match["name"]), parse_digest(match["digest"]))


def _session(_method: str, match: re.Match[str]) -> SessionTarget:
    return SessionTarget(parse_repository_name(match["name"]), match["session"])


def _issued_token(_method: str, match: re.Match[str]) -> issued_tokens.IssuedTokenTarget:
    return issued_tokens.IssuedTokenTarget(match["token"])


def _manifest(method: str, match: re.Match[str]) -> ManifestTarget:
    repository = parse_repository_name(match["name"])
    try:
        return ManifestTarget(repository, parse_reference(match["reference"]))
    except TagInvalid:
        if method == "PUT":
            raise
        raise ManifestUnknown(reference=match["reference"][:160]) from None


def _route(
    pattern: str,
    parse: Callable[[str, re.Match[str]], Target],
    scope: Callable[[Target], str],
    **endpoints: Endpoint[Target],
) -> Route[Target]:
    return Route(re.compile(pattern, re.ASCII), parse, scope, endpoints)


def _catalog_scope(_target: NoTarget) -> str:
    return CATALOG_SCOPE


def _no_scope(_target: issued_tokens.IssuedTokenTarget) -> str:
    return CATALOG_SCOPE


def _repository_scope(target: RepositoryTarget | DigestTarget | SessionTarget) -> str:
    return scope_of(target.repository)


def _manifest_scope(target: ManifestTarget) -> str:
    return scope_of(target.repository, target.reference)


_BASE = Endpoint("end-1", Entry.LOGIN, base.get_base)
_CATALOG = Endpoint("catalog", Resource.CATALOG, base.get_catalog)
_HEALTH = Endpoint("healthz", Entry.PUBLIC, base.get_health)
_TOKENS = Endpoint("tokens", Entry.LOGIN, issued_tokens.list_tokens)
_READY = Endpoint("readyz", Entry.PUBLIC, base.get_readiness)
_METRICS = Endpoint("metrics", Resource.METRICS, base.get_metrics)
_GET_BLOB = Endpoint("end-2", Resource.BLOBS, blobs.get_blob)
_GET_MANIFEST = Endpoint("end-3", Resource.MANIFESTS, manifests.get_manifest)
_TAGS = Endpoint("end-8a, end-8b", Resource.TAGS, discovery.list_tags)
_REFERRERS = Endpoint("end-12a, end-12b", Resource.REFERRERS, discovery.list_referrers)

ROUTES: Sequence[AnyRoute] = (
    _route(
        r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)",
        _manifest,
        _manifest_scope,
        GET=_GET_MANIFEST,
        HEAD=_GET_MANIFEST,
        PUT=Endpoint("end-7a, end-7b", Resource.MANIFESTS, manifests.put_manifest),
        DELETE=Endpoint("end-9", Resource.MANIFESTS, manifests.delete_manifest),
    ),
    _route(
        r"/v2/(?P<name>.+)/blobs/uploads/?",
        _repository,
        _repository_scope,
        POST=Endpoint("end-4a, end-4b, end-4c, end-11", Resource.BLOBS, uploads.start_upload),
    ),
    _route(
        r"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[^/]+)",
        _session,
        _repository_scope,
        # Who may begin an upload may see where it stands and give it up.
        GET=Endpoint("end-13", Resource.BLOBS, uploads.get_upload, verb="POST", continues=True),
        PATCH=Endpoint("end-5", Resource.BLOBS, uploads.append_chunk, continues=True),
        PUT=Endpoint("end-6", Resource.BLOBS, uploads.finish_upload, continues=True),
        DELETE=Endpoint("end-14", Resource.BLOBS, uploads.cancel_upload, verb="POST", continues=True),
    ),
    _route(
        r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)",
        _digest,
        _repository_scope,
        GET=_GET_BLOB,
        HEAD=_GET_BLOB,
        DELETE=Endpoint("end-10", Resource.BLOBS, blobs.delete_blob),
    ),
    _route(r"/v2/(?P<name>.+)/tags/list", _repository, _repository_scope, GET=_TAGS, HEAD=_TAGS),
    _route(
        r"/v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)", _digest, _repository_scope, GET=_REFERRERS, HEAD=_REFERRERS
    ),
    _route(r"/v2/_catalog", _nothing, _catalog_scope, GET=_CATALOG, HEAD=_CATALOG),
    _route(r"/v2/?", _nothing, _catalog_scope, GET=_BASE, HEAD=_BASE),
    _route(
        r"/token",
        _nothing,
        _catalog_scope,
        GET=Endpoint("token", Entry.ANYBODY, token_exchange.get_token),
        POST=Endpoint("token", Entry.PUBLIC, token_exchange.post_token),
    ),
    _route(
        r"/api/v1/tokens",
        _nothing,
        _catalog_scope,
        GET=_TOKENS,
        HEAD=_TOKENS,
        POST=Endpoint("tokens", Entry.LOGIN, issued_tokens.create_token),
    ),
    _route(
        r"/api/v1/tokens/(?P<token>[^/]+)",
        _issued_token,
        _no_scope,
        DELETE=Endpoint("tokens", Entry.LOGIN, issued_tokens.revoke_token),
    ),
    _route(r"/metrics", _nothing, _catalog_scope, GET=_METRICS, HEAD=_METRICS),
    _route(r"/healthz", _nothing, _catalog_scope, GET=_HEALTH, HEAD=_HEALTH),
    _route(r"/readyz", _nothing, _catalog_scope, GET=_READY, HEAD=_READY),
)


def resolve(method: str, path: str) -> Matched:
    """Return the endpoint that a request means; what is asked for often is remembered.

    Raises: MethodUnknown, NotFound, and as `Route.matched`.
    """
    return (_resolve if len(path) > LONGEST_REMEMBERED else _remembered)(method, path)


def _resolve(method: str, path: str) -> Matched:
    if method not in KNOWN_METHODS:
        raise MethodUnknown(method=method[:32])
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match is not None:
            return route.matched(method, match)
    raise NotFound(path=path[:300])


_remembered = lru_cache(REMEMBERED)(_resolve)
