"""An authorised call, the argument of every handler."""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

import msgspec

from simple_registry.access.caller import Caller, Identity
from simple_registry.access.permission import Permission, Resource, scope_of, scopes_of_tags
from simple_registry.access.policy import Allowed, Policy, decide
from simple_registry.access.roles import READ
from simple_registry.access.rules import AccessRules
from simple_registry.access.tag_protection import ProtectedTags
from simple_registry.authentication.token_service import TokenService
from simple_registry.authentication.web_sessions import WebSessions
from simple_registry.bounded_cache import BoundedCache
from simple_registry.http.authorization import Authorization, ConfirmedBody
from simple_registry.http.conditional import parse_precondition
from simple_registry.http.messages import Request
from simple_registry.http.origins import Origins
from simple_registry.http.quotas import allowances_of
from simple_registry.http.targets import Target
from simple_registry.oci.errors import Denied
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.operations.blobs import Actor, Blobs
from simple_registry.operations.collector import Collector
from simple_registry.operations.contents import Contents
from simple_registry.operations.explanations import Explanations
from simple_registry.operations.history import History
from simple_registry.operations.issued_tokens import Tokens
from simple_registry.operations.manifests import Manifests
from simple_registry.operations.pulls import Pulls
from simple_registry.operations.quotas import Allowance
from simple_registry.operations.read_only import ReadOnly
from simple_registry.operations.referrers import Referrers
from simple_registry.operations.repositories import Repositories
from simple_registry.operations.retention import TagRetention
from simple_registry.operations.tag_lists import TagLists
from simple_registry.operations.tags import Tags
from simple_registry.operations.undo import Undo
from simple_registry.operations.uploads import Uploads
from simple_registry.operations.usage import RepositoryUsages


@dataclass(frozen=True, slots=True)
class Condition:
    """What operators want to know: why the rules in force are not those of the documents, room, versions, warnings.

    `space` has the free bytes and all bytes of the file system with the data, where that is known.
    """

    stale: str | None
    space: tuple[int, int] | None
    versions: Mapping[str, str]
    warnings: Mapping[str, float]
    """Their texts, and since when there is a reason for each."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Every operation, the bounds that handlers keep, whether it is ready (raises when it is not), and its metrics."""

    contents: Contents
    blobs: Blobs
    uploads: Uploads
    manifests: Manifests
    tags: Tags
    tag_lists: TagLists
    referrers: Referrers
    repositories: Repositories
    usages: RepositoryUsages
    pulls: Pulls
    history: History
    undo: Undo
    collector: Collector
    retention: TagRetention
    explanations: Explanations
    read_only: ReadOnly
    manifest_size: int
    tags_per_push: int
    tokens: Tokens
    token_service: TokenService
    web_sessions: WebSessions
    seen_by_pages: BoundedCache[Hashable, object]
    origins: Origins
    rules: Callable[[], AccessRules]
    readiness: Callable[[], Mapping[str, object]]
    condition: Callable[[], Condition]
    metrics: Callable[[], Awaitable[bytes]]


class Call(msgspec.Struct, Generic[Target], frozen=True):
    """A request that its caller may make, with the typed values of its path."""

    request: Request
    target: Target
    registry: Registry
    authorization: Authorization

    @property
    def caller(self) -> Caller:
        """The caller, with its proof."""
        return self.authorization.caller

    @property
    def identity(self) -> Identity:
        """The identity of the caller."""
        return self.authorization.caller.identity

    @property
    def actor(self) -> Actor:
        """The maker of what this call changes, in the words of the audit log."""
        proof, credential = self.caller.proof.source.value, self.caller.credential
        return Actor(self.identity.name, f"{proof} {credential}" if credential else proof, self.request.id)

    @property
    def policy(self) -> Policy:
        """The policy that allowed the call."""
        return self.authorization.policy

    @property
    def body(self) -> ConfirmedBody:
        """The body of the request; a handler that reads it to its end may act. Handlers read no other."""
        return ConfirmedBody(self.request.body, self.authorization)

    def can(self, verb: str, resource: Resource, scope: str) -> bool:
        """Return whether this caller has a further permission."""
        return isinstance(decide(self.policy, self.caller, Permission(verb, resource, scope)), Allowed)

    def visible(self, resource: Resource, verb: str = "GET") -> Callable[[str], bool]:
        """Return the question whether this caller has a verb within a scope string, for listings: `policy.decide`."""
        caller = self.caller
        reach = self.policy.reach(caller.identity, verb, resource)
        if not caller.limits:
            return reach
        public = self.policy.reach(caller.public, verb, resource) if caller.public and verb in READ else None

        def within(scope: str) -> bool:
            if not reach(scope):
                return False
            return caller.limited_to(Permission(verb, resource, scope)) or (public is not None and public(scope))

        return within

    def holds_visible(self) -> Callable[[RepositoryName], Awaitable[bool]]:
        """Return the question whether this caller may pull something of a repository: one of its tags, or by digest.

        The limits of a token apply to the catalog itself; it lists what the token's user may pull.
        """
        reach = self.policy.reach(self.identity, "GET", Resource.MANIFESTS)
        below = self.policy.reach_below(self.identity, "GET", Resource.MANIFESTS)

        async def holds(repository: RepositoryName) -> bool:
            if reach(scope_of(repository)):
                return True
            if not below(scopes_of_tags(repository)):
                return False  # deciding about each tag takes long if there are many
            return await self.registry.tags.any(repository, lambda tag: reach(scope_of(repository, tag)))

        return holds

    def require(self, verb: str, resource: Resource, scope: str) -> None:
        """Require a further permission, now and when the body has arrived."""
        self.authorization.require(Permission(verb, resource, scope))

    def guard(self, repository: RepositoryName) -> ProtectedTags | None:
        """Return what keeps tags of a repository from being moved or deleted by this caller, by the rules of now."""
        rules = self.authorization.rules
        return rules.protected_tags(repository, self.identity) if rules.protections else None

    def allowances(self, repository: RepositoryName) -> Sequence[Allowance]:
        """Return what quotas allow this caller to push to a repository."""
        return allowances_of(self.authorization.rules.quotas, self.identity, repository)

    def require_of_tag(self, verb: str, repository: RepositoryName, tag: Tag) -> None:
        """Require a permission for a tag that the request does not name; the error does not either: it may be hidden.

        Raises: as `require_permission`.
        """
        try:
            self.require(verb, Resource.MANIFESTS, scope_of(repository, tag))
        except Denied as refusal:
            scope = scope_of(repository)
            raise Denied(note=refusal.note, verb=verb, resource=Resource.MANIFESTS, scope=scope) from refusal

    def precondition(self, resource: Resource, *scopes: str) -> Precondition:
        """Return what the request's conditions ask of what it changes in these scopes.

        They reveal what is there, so the caller must be allowed to read it.

        Raises: PreconditionInvalid, and as `require`.
        """
        precondition = parse_precondition(self.request.headers)
        if precondition != UNCONDITIONAL:
            for scope in scopes:
                self.require("HEAD", resource, scope)
        return precondition
