"""The policy, decided in one function; `http.dispatch` calls it for every endpoint, handlers for every listing.

Any binding that gives a permission is enough; nothing takes one away; nothing at all is given by default.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Protocol

from simple_registry.access.caller import Caller, Identity
from simple_registry.access.permission import OF_REGISTRY, Permission, Resource
from simple_registry.access.roles import READ, Binding, BoundRole

REMEMBERED = 65_536
"""Decisions that one policy caches. A changed policy is another object, so no decision outlives its rules.

Only those about identities of documents are kept. What a trusted issuer's tokens describe is as large as that issuer
signs, and there are as many as it has jobs.
"""


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, because of this binding."""

    binding: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No; the reason is computed only when it is needed."""

    explain: Callable[[], str] = field(compare=False)

    @property
    def reason(self) -> str:
        """The reason, in words."""
        return self.explain()


@dataclass(frozen=True, slots=True)
class TooNarrow:
    """No, although this binding would give it: a limit of the credentials does not include it."""

    binding: str


Decision = Allowed | Refused


class Policy(Protocol):
    """Decides. Pure: the same question always gets the same answer."""

    def decide(self, identity: Identity, permission: Permission) -> Decision:
        """Return whether `identity` has `permission`."""

    def reach(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        """Return the same question for many scope strings, without a cache."""

    def reach_below(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        """Return the question whether any scope string with a prefix may be within reach; in doubt, it may."""

    def allows_everything(self, identity: Identity) -> bool:
        """Return whether a single binding gives `identity` every permission."""


def decide(policy: Policy, caller: Caller, permission: Permission) -> Decision | TooNarrow:
    """Return whether a caller has a permission: by the policy, and within the limits of its credential.

    Limits keep no caller from reading in a repository what it could read without the credential: a login must not close
    what is public. The catalog and the metrics show more to some callers than to others, so there they hold.
    """
    decision = policy.decide(caller.identity, permission)
    if isinstance(decision, Refused) or caller.limited_to(permission):
        return decision
    if caller.public is not None and permission.verb in READ and permission.resource not in OF_REGISTRY:
        public = policy.decide(caller.public, permission)
        if isinstance(public, Allowed):
            return public
    return TooNarrow(decision.binding)


class BindingPolicy:
    """The policy that role bindings make."""

    def __init__(self, bindings: Iterable[Binding]) -> None:
        """Try the bindings in this order."""
        self.bindings = tuple(bindings)
        """In the order in which they are tried."""
        self._by_user: dict[str, list[BoundRole]] = {}
        self._by_group: dict[str, list[BoundRole]] = {}
        for binding in self.bindings:
            for user in binding.users:
                self._by_user.setdefault(user, []).append(binding.bound)
            for group in binding.groups:
                self._by_group.setdefault(group, []).append(binding.bound)
        self._remembered = lru_cache(REMEMBERED)(self._decide)

    def decide(self, identity: Identity, permission: Permission) -> Decision:
        """Return whether `identity` has `permission`, and which binding gives it."""
        find = self._remembered if identity.issuer is None else self._decide
        binding = find(identity, permission)
        return Refused(partial(self.nearest, identity, permission)) if binding is None else Allowed(binding)

    @property
    def remembered(self) -> tuple[int, int]:
        """Hits and misses of the cache of decisions."""
        counts = self._remembered.cache_info()
        return counts.hits, counts.misses

    def reach(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        """Return the question whether `identity` has a permission in a scope; for listings, which ask often."""
        bindings = [bound for bound in self.bindings_of(identity) if bound.role.covers(verb, resource)]
        if any(bound.reaches_everything for bound in bindings):
            return lambda _scope: True
        return lambda scope: any(bound.reaches(scope) for bound in bindings)

    def reach_below(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        """Return the question whether `identity` may have a permission in any scope with a prefix."""
        bindings = [bound for bound in self.bindings_of(identity) if bound.role.covers(verb, resource)]
        return lambda beginning: any(bound.may_reach_below(beginning) for bound in bindings)

    def allows_everything(self, identity: Identity) -> bool:
        """Return whether one binding of `identity` has every verb on every resource, in every scope.

        That is read from the texts of its scopes: no sample of names could show that a pattern matches all of them.
        """
        return any(bound.is_unbounded for bound in self.bindings_of(identity))

    def bindings_of(self, identity: Identity) -> Iterator[BoundRole]:
        """Yield every binding of an identity: its own, its groups', its credentials'."""
        yield from self._by_user.get(identity.name, ())
        for group in sorted(identity.groups):
            yield from self._by_group.get(group, ())
        yield from identity.bindings

    def nearest(self, identity: Identity, permission: Permission) -> str:
        """Return, in words, which binding comes closest to a permission that the identity does not have."""
        scope = permission.scope or f"the {permission.resource}"
        for bound in self.bindings_of(identity):
            if bound.reaches(permission.scope):
                return (
                    f"binding {bound.name!r} reaches {scope}, but its role {bound.role.name!r} "
                    f"does not allow {permission.verb} on {permission.resource}"
                )
        for bound in self.bindings_of(identity):
            if bound.role.covers(permission.verb, permission.resource):
                return (
                    f"binding {bound.name!r} allows {permission.verb} on {permission.resource}, "
                    f"but none of its scopes matches {scope}"
                )
        return f"no binding gives {identity.name} anything on {permission.resource} or on {scope}"

    def _decide(self, identity: Identity, permission: Permission) -> str | None:
        """Return the name of the first binding that gives the permission."""
        return next((bound.name for bound in self.bindings_of(identity) if bound.allows(permission)), None)
