"""What is allowed in documents but seldom meant: pure advice, which `policy check` and the start of a server print.

Nothing here refuses. Each piece names the document it is about and, where it helps, the entry of its `spec`; whoever
read the documents knows the lines.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from simple_registry.access.caller import ANONYMOUS_NAME
from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.passwords import HIGHEST_COST, cost_of
from simple_registry.access.permission import Resource
from simple_registry.access.roles import Binding, Role, User
from simple_registry.access.samples import sample_scopes
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.token_secrets import StaticToken
from simple_registry.times import format_moment

_TAGS = ("latest", "v1.0", "1", "main")


@dataclass(frozen=True, slots=True)
class Declared:
    """What documents declare, each by itself; `in_clear` names the tokens whose values can be read there."""

    users: Mapping[str, User] = field(default_factory=dict)
    roles: Mapping[str, Role] = field(default_factory=dict)
    bindings: Sequence[Binding] = ()
    tokens: Sequence[StaticToken] = ()
    issuers: tuple[TrustedIssuer, ...] = ()
    in_clear: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Advice:
    """One piece: about the document of this kind and name, at this path of its `spec`."""

    kind: str
    name: str
    text: str
    at: tuple[str | int, ...] = ()


def advise(declared: Declared, now: float) -> Sequence[Advice]:
    """Return everything worth saying, by kind; `now` in seconds since the epoch."""
    return [
        *_about_users(declared),
        *_about_roles(declared),
        *_about_bindings(declared),
        *advise_on_tokens(declared, now),
    ]


def advise_on_tokens(declared: Declared, now: float) -> Iterator[Advice]:
    """Yield what is worth saying at every start of a server, too."""
    for token in declared.tokens:
        if token.expires_at is None:
            yield Advice("Token", token.name, "never expires; give it an expiresAt")
        elif token.expires_at <= now:
            yield Advice(
                "Token", token.name, f"expired at {format_moment(token.expires_at)}; remove it", ("expiresAt",)
            )
        if token.name in declared.in_clear:
            yield Advice(
                "Token",
                token.name,
                "stands here in clear; write its valueHash instead: printf %s VALUE | sha256sum",
                ("value",),
            )


def _about_users(declared: Declared) -> Iterator[Advice]:
    owners = {token.username for token in declared.tokens}
    mapped = any(not issuer.user_prefix for issuer in declared.issuers)  # whose users may come with foreign tokens
    for user in declared.users.values():
        if not any(user.name in each.users or user.groups & each.groups for each in declared.bindings):
            yield Advice("User", user.name, "may do nothing: no RoleBinding names the user or one of its groups")
        known = user.password_hash is not None or user.name in owners or user.name == ANONYMOUS_NAME or mapped
        if not known:
            yield Advice(
                "User", user.name, "has no passwordHash and no Token; only 'token create' lets the user log in"
            )
        cost = cost_of(user.password_hash) if user.password_hash else 0
        if cost > HIGHEST_COST:
            # Unknown users cost as much as the dearest hash, or the time would tell them apart.
            yield Advice(
                "User",
                user.name,
                f"has a passwordHash of cost {cost}, and each wrong password of anybody takes as long; "
                f"{HIGHEST_COST} is the most that is of use",
                ("passwordHash",),
            )


def _about_roles(declared: Declared) -> Iterator[Advice]:
    bound = {binding.bound.role.name for binding in declared.bindings}
    bound |= {binding.role.name for issuer in declared.issuers for binding in issuer.bindings}
    for name in declared.roles:
        if name not in bound:
            yield Advice("Role", name, "is bound by nothing")


def _about_bindings(declared: Declared) -> Iterator[Advice]:
    members = frozenset[str]().union(*(user.groups for user in declared.users.values()))
    foreign = any(issuer.groups_claim for issuer in declared.issuers)  # groups that only foreign tokens name
    for binding in declared.bindings:
        for group in sorted(() if foreign else binding.groups - members):
            yield Advice(
                "RoleBinding", binding.bound.name, f"names the group {group!r}, of which no User is", ("subjects",)
            )
        yield from _about_scopes(binding)


def _about_scopes(binding: Binding) -> Iterator[Advice]:
    """Yield the patterns that name repositories whose manifests they let nobody pull by a tag."""
    bound = binding.bound
    if Resource.MANIFESTS not in bound.role.resources:
        return
    for index, pattern in enumerate(bound.scopes):
        repositories = _repositories(pattern)
        if repositories and not any(_reaches_tags(bound.scopes, repository) for repository in repositories):
            yield Advice(
                "RoleBinding",
                bound.name,
                f"{pattern.text!r} matches {repositories[0]}, but no tag of it; write {_with_tags(pattern.text)!r}",
                ("scopes", index),
            )


def _repositories(pattern: ScopePattern) -> Sequence[str]:
    return [scope for scope in sample_scopes(pattern) if ":" not in scope]


def _reaches_tags(patterns: Iterable[ScopePattern], repository: str) -> bool:
    """Tell whether patterns together match any tag of a repository; the tags tried are common ones and their own."""
    for pattern in patterns:
        if any(pattern.matches(f"{repository}:{tag}") for tag in _TAGS):
            return True
        if any(scope.startswith(f"{repository}:") for scope in sample_scopes(pattern)):
            return True
    return False


def _with_tags(pattern: str) -> str:
    return f"{pattern.removesuffix('$')}(:.+)?$"
