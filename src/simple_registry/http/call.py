"""An authorised call: what a handler gets."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import msgspec

from simple_registry.access.caller import Caller, Source
from simple_registry.access.identity import Identity
from simple_registry.access.limits import scope_text
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, Policy, TooNarrow, decide
from simple_registry.http.authorization import InsufficientScope, LoginRequired
from simple_registry.http.messages import Request
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import Denied, Unauthorized
from simple_registry.oci.names import Reference, RepositoryName
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.manifests import Manifests
from simple_registry.operations.referrers import Referrers
from simple_registry.operations.repositories import Repositories
from simple_registry.operations.tags import Tags
from simple_registry.operations.tokens import Tokens
from simple_registry.operations.uploads import Uploads

if TYPE_CHECKING:
    from simple_registry.http.handlers.token import TokenService


@dataclass(frozen=True, slots=True)
class Registry:
    """Every operation, the bounds that handlers keep, whether it is ready (raises when it is not), and its metrics."""

    blobs: Blobs
    uploads: Uploads
    manifests: Manifests
    tags: Tags
    referrers: Referrers
    repositories: Repositories
    manifest_size: int
    tags_per_push: int
    tokens: Tokens
    token_service: "TokenService"
    readiness: Callable[[], Mapping[str, object]]
    metrics: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class NoTarget:
    """An endpoint whose path names nothing."""


@dataclass(frozen=True, slots=True)
class RepositoryTarget:
    """An endpoint of a repository."""

    repository: RepositoryName


@dataclass(frozen=True, slots=True)
class DigestTarget:
    """An endpoint of content in a repository."""

    repository: RepositoryName
    digest: Digest


@dataclass(frozen=True, slots=True)
class ManifestTarget:
    """An endpoint of a manifest in a repository."""

    repository: RepositoryName
    reference: Reference


@dataclass(frozen=True, slots=True)
class SessionTarget:
    """An endpoint of an upload session."""

    repository: RepositoryName
    session: str


Target = TypeVar("Target")


class Call(msgspec.Struct, Generic[Target], frozen=True):
    """A request that its caller may make, with the typed values of its path."""

    request: Request
    target: Target
    caller: Caller
    registry: Registry
    policy: Policy

    @property
    def identity(self) -> Identity:
        """Who calls."""
        return self.caller.identity

    def can(self, verb: str, resource: Resource, scope: str) -> bool:
        """Return whether this caller has a further permission."""
        return isinstance(decide(self.policy, self.caller, Permission(verb, resource, scope)), Allowed)

    def visible(self, resource: Resource) -> Callable[[str], bool]:
        """Return the question whether this caller may read within a scope string, for listings: `policy.decide`."""
        caller = self.caller
        reach = self.policy.reach(caller.identity, "GET", resource)
        if not caller.limits:
            return reach
        public = self.policy.reach(caller.public, "GET", resource) if caller.public else None

        def within(scope: str) -> bool:
            if not reach(scope):
                return False
            return caller.limited_to(Permission("GET", resource, scope)) or (public is not None and public(scope))

        return within

    def require(self, verb: str, resource: Resource, scope: str) -> None:
        """Insist on a further permission.

        Raises: as `require_permission`.
        """
        require_permission(self.policy, self.caller, Permission(verb, resource, scope))


def require_permission(policy: Policy, caller: Caller, permission: Permission) -> str:
    """Insist that the caller has a permission; return the binding that gives it.

    Raises: Unauthorized when other credentials could help, Denied when the policy refuses whoever was proved.
    """
    decision = decide(policy, caller, permission)
    if isinstance(decision, Allowed):
        return decision.binding
    if isinstance(decision, TooNarrow):
        raise InsufficientScope(note="the token's scopes do not reach that far", scope=scope_text(permission))
    if caller.sent_nothing:
        raise Unauthorized(note=decision.reason)
    if caller.proof.source is Source.ANONYMOUS:
        # Always with an `error`: docker takes a bare 401 for a passing one, and tries for long.
        raise LoginRequired(note=decision.reason)
    verb, resource, scope = permission
    raise Denied(note=decision.reason, verb=verb, resource=resource, scope=scope)
