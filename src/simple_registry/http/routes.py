"""The table of endpoints: from method and path to handler and the permission that it needs.

Paths arrive percent-decoded, so each is matched as a whole, with the grammars of names, tags and digests deciding
afterwards. Names are matched greedily and the last segments are fixed, so a repository may be called `a/manifests`.
An endpoint that declares no need cannot be written down: `needs` has no default.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Generic

from simple_registry.access.permission import Permission, Resource
from simple_registry.access.roles import READ, RUN
from simple_registry.http.call import Call
from simple_registry.http.handlers import (
    base,
    blobs,
    discovery,
    history,
    issued_tokens,
    maintenance,
    manifests,
    token_exchange,
    undo,
    uploads,
    usage,
)
from simple_registry.http.messages import Response
from simple_registry.http.targets import (
    AnyTarget,
    Target,
    digest_target,
    issued_token_target,
    manifest_target,
    no_target,
    repository_target,
    scope_of_target,
    session_target,
    tag_target,
)
from simple_registry.metrics.requests import METHODS, counted
from simple_registry.oci.errors import NotFound, Unsupported

MAX_CACHED = 4096
"""Paths whose endpoint is cached, by each worker."""

MAX_CACHED_LENGTH = 512
"""Characters of a path that is cached: they are the client's choice, and memory is ours."""

KNOWN_METHODS = frozenset({*METHODS, "OPTIONS", "TRACE"})
"""Methods that a path may refuse; all others are refused everywhere."""


class Need(StrEnum):
    """What an endpoint needs that is not a permission for a resource."""

    NOTHING = "nothing"
    CALLER = "caller"  # valid credentials, or none where there is an anonymous user
    LOGIN = "login"  # valid credentials
    EVERYTHING = "everything"  # every permission, by one binding, without limits


@dataclass(frozen=True, slots=True)
class Endpoint(Generic[Target]):
    """What answers one method of a route: its ids in the specification, what it needs, and its handler."""

    ids: str
    needs: Resource | Need
    handle: Callable[[Call[Target]], Awaitable[Response]]
    verb: str | None = None
    """The verb of the permission, where it is not the method."""
    writes: bool = False
    """Whether its success changes what other callers see, or may do. Such a request is audited when it fails midway."""
    continues: bool = False
    """Whether a credential that has expired still suffices, for an upload session that it began."""

    @property
    def name(self) -> str:
        """Its name in metrics and the audit log: that of its handler."""
        return self.handle.__name__


@dataclass(frozen=True, slots=True)
class Matched:
    """The endpoint of a request, its target, and the permission that it needs (`None` for a `Need`)."""

    endpoint: Endpoint[Any]
    target: AnyTarget
    permission: Permission | None
    counted: str
    """Its name in the metrics of requests."""
    changes: bool
    """Whether it may change anything, so that the read-only mode refuses it."""


@dataclass(frozen=True, slots=True)
class Route(Generic[Target]):
    """A shape of path: the parser of its target, and what answers each method."""

    pattern: re.Pattern[str]
    parse: Callable[[str, re.Match[str]], Target]
    endpoints: Mapping[str, Endpoint[Target]]
    shared: bool = False
    """Whether other methods of such a path may belong to a later route."""

    def matched(self, method: str, match: re.Match[str]) -> Matched:
        """Return the endpoint of a method, for the values of a path that fits the pattern.

        Raises: MethodNotAllowed, and as the parser.
        """
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            raise MethodNotAllowed(sorted(self.endpoints))
        target = self.parse(method, match)
        permission = None
        if isinstance(endpoint.needs, Resource):
            permission = Permission(endpoint.verb or method, endpoint.needs, scope_of_target(target))
        changes = method not in READ and endpoint.needs is not Need.NOTHING
        return Matched(endpoint, target, permission, counted(endpoint.name, method), changes)


class MethodNotAllowed(Unsupported):
    """code-13: the path exists, but not with this method; `allowed` goes into `Allow`."""

    def __init__(self, allowed: Sequence[str]) -> None:
        super().__init__(allowed=list(allowed))
        self.allowed = allowed


class MethodUnknown(Unsupported):
    """code-13: no endpoint has this method (RFC 9110, section 9.1)."""

    message = "the method is not known here"
    status = 501


def route(
    pattern: str,
    parse: Callable[[str, re.Match[str]], Target],
    *,
    read: Endpoint[Target] | None = None,
    shared: bool = False,
    **endpoints: Endpoint[Target],
) -> Route[Target]:
    """Return a row of a table of routes; `read` answers GET and HEAD, `shared` as in `Route`."""
    reading = {} if read is None else {"GET": read, "HEAD": read}
    return Route(re.compile(pattern, re.ASCII), parse, reading | endpoints, shared)


ROUTES: Sequence[Route[Any]] = (
    route(
        r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)",
        manifest_target,
        read=Endpoint("end-3", Resource.MANIFESTS, manifests.get_manifest),
        PUT=Endpoint("end-7a, end-7b", Resource.MANIFESTS, manifests.put_manifest, writes=True),
        DELETE=Endpoint("end-9", Resource.MANIFESTS, manifests.delete_manifest, writes=True),
    ),
    route(
        r"/v2/(?P<name>.+)/blobs/uploads/?",
        repository_target,
        POST=Endpoint("end-4a, end-4b, end-4c, end-11", Resource.BLOBS, uploads.start_upload, writes=True),
    ),
    route(
        r"/v2/(?P<name>.+)/blobs/uploads/(?P<session>[^/]+)",
        session_target,
        # A caller that may begin an upload may also ask for its state and cancel it.
        GET=Endpoint("end-13", Resource.BLOBS, uploads.get_upload, verb="POST", continues=True),
        PATCH=Endpoint("end-5", Resource.BLOBS, uploads.append_chunk, continues=True),
        PUT=Endpoint("end-6", Resource.BLOBS, uploads.finish_upload, writes=True, continues=True),
        DELETE=Endpoint("end-14", Resource.BLOBS, uploads.cancel_upload, verb="POST", continues=True),
    ),
    route(
        r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)",
        digest_target,
        read=Endpoint("end-2", Resource.BLOBS, blobs.get_blob),
        DELETE=Endpoint("end-10", Resource.BLOBS, blobs.delete_blob, writes=True),
    ),
    route(
        r"/v2/(?P<name>.+)/tags/list",
        repository_target,
        read=Endpoint("end-8a, end-8b", Resource.TAGS, discovery.list_tags),
    ),
    route(
        r"/v2/(?P<name>.+)/referrers/(?P<digest>[^/]+)",
        digest_target,
        read=Endpoint("end-12a, end-12b", Resource.REFERRERS, discovery.list_referrers),
    ),
    route(r"/v2/_catalog", no_target, read=Endpoint("catalog", Resource.CATALOG, base.get_catalog)),
    route(r"/v2/?", no_target, read=Endpoint("end-1", Need.LOGIN, base.get_base)),
    route(
        r"/token",
        no_target,
        GET=Endpoint("token", Need.CALLER, token_exchange.get_token),
        POST=Endpoint("token", Need.NOTHING, token_exchange.post_token),
    ),
    route(
        r"/api/v1/tokens",
        no_target,
        read=Endpoint("tokens", Need.LOGIN, issued_tokens.list_tokens),
        POST=Endpoint("tokens", Need.LOGIN, issued_tokens.create_token, writes=True),
    ),
    route(
        r"/api/v1/tokens/(?P<token>[^/]+)",
        issued_token_target,
        DELETE=Endpoint("tokens", Need.LOGIN, issued_tokens.revoke_token, writes=True),
    ),
    route(r"/api/v1/usage", no_target, read=Endpoint("usage", Need.CALLER, usage.list_usage)),
    route(r"/api/v1/events", no_target, read=Endpoint("events", Resource.CATALOG, history.list_events, verb="history")),
    # A repository may be called `a/history`, and is deleted by that name.
    route(
        r"/api/v1/repositories/(?P<name>.+)",
        repository_target,
        shared=True,
        DELETE=Endpoint("repository", Resource.MANIFESTS, undo.delete_repository, writes=True),
    ),
    route(
        r"/api/v1/repositories/(?P<name>.+)/history",
        repository_target,
        read=Endpoint("history", Resource.MANIFESTS, history.list_history, verb="history"),
    ),
    route(
        r"/api/v1/repositories/(?P<name>.+)/tags/(?P<tag>[^/]+)",
        tag_target,
        read=Endpoint("resolve", Resource.MANIFESTS, history.resolve_tag, verb="history"),
    ),
    route(
        r"/api/v1/repositories/(?P<name>.+)/rollback",
        repository_target,
        POST=Endpoint("rollback", Resource.MANIFESTS, undo.roll_back_tag, verb="restore", writes=True),
    ),
    route(
        r"/api/v1/repositories/(?P<name>.+)/restore",
        repository_target,
        POST=Endpoint("restore", Resource.MANIFESTS, undo.restore_deleted, verb="restore", writes=True),
    ),
    route(
        r"/api/v1/garbage-collection",
        no_target,
        read=Endpoint("collection", Resource.MAINTENANCE, maintenance.get_collection),
        POST=Endpoint("collection", Resource.MAINTENANCE, maintenance.collect_garbage, verb=RUN, writes=True),
    ),
    route(
        r"/api/v1/retention",
        no_target,
        read=Endpoint("retention", Resource.MAINTENANCE, maintenance.get_plan),
        POST=Endpoint("retention", Resource.MAINTENANCE, maintenance.apply_retention, verb=RUN, writes=True),
    ),
    route(r"/metrics", no_target, read=Endpoint("metrics", Resource.METRICS, base.get_metrics)),
    route(r"/healthz", no_target, read=Endpoint("healthz", Need.NOTHING, base.get_health)),
    route(r"/readyz", no_target, read=Endpoint("readyz", Need.NOTHING, base.get_readiness)),
)


def resolve(method: str, path: str) -> Matched:
    """Return the endpoint that a request means, from a cache for paths that are asked for often.

    Raises: MethodUnknown, NotFound, and as `Route.matched`.
    """
    return (_resolve if len(path) > MAX_CACHED_LENGTH else _cached)(method, path)


def _resolve(method: str, path: str) -> Matched:
    return find_endpoint(ROUTES, method, path)


def find_endpoint(routes: Sequence[Route[Any]], method: str, path: str) -> Matched:
    """Return the endpoint that a request means, the first of these routes that fits.

    Raises: MethodUnknown, NotFound, and as `Route.matched`.
    """
    if method not in KNOWN_METHODS:
        raise MethodUnknown(method=method[:32])
    for each in routes:
        match = each.pattern.fullmatch(path)
        if match is not None and not (each.shared and method not in each.endpoints):
            return each.matched(method, match)
    raise NotFound(path=path[:300])


_cached = lru_cache(MAX_CACHED)(_resolve)
