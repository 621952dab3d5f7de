"""Lint warnings for access documents: what is allowed but seldom meant.

`policy check` prints all of them, the start of a server those about tokens. A warning names its document and, where it
helps, the entry of its `spec`; `config.load` adds file and line.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simple_registry.access.caller import ANONYMOUS_NAME
from simple_registry.access.passwords import MAX_COST, cost_of
from simple_registry.access.permission import Resource
from simple_registry.access.quotas import Per
from simple_registry.access.rules import Declared
from simple_registry.access.samples import sample_scopes
from simple_registry.access.scopes import ScopePattern
from simple_registry.times import format_moment

_TAGS = ("latest", "v1.0", "1", "main")


@dataclass(frozen=True, slots=True)
class LintWarning:
    """A warning about the document of this kind and name, at this path of its `spec`."""

    kind: str
    name: str
    text: str
    at: tuple[str | int, ...] = ()


def lint(declared: Declared, now: float) -> Sequence[LintWarning]:
    """Return all warnings, by kind; `now` is in seconds since the epoch."""
    return [
        *_about_users(declared),
        *_about_roles(declared),
        *_about_bindings(declared),
        *_about_quotas(declared),
        *_about_rules_of_tags(declared),
        *lint_tokens(declared, now),
    ]


def lint_tokens(declared: Declared, now: float) -> Iterator[LintWarning]:
    """Yield the warnings that every start of a server repeats."""
    for token in declared.tokens:
        if token.expires_at is None:
            yield LintWarning("Token", token.name, "never expires; give it an expiresAt")
        elif token.expires_at <= now:
            yield LintWarning(
                "Token", token.name, f"expired at {format_moment(token.expires_at)}; remove it", ("expiresAt",)
            )
        if token.name in declared.in_clear:
            yield LintWarning(
                "Token",
                token.name,
                "holds its value in clear; write its valueHash instead: printf %s VALUE | sha256sum",
                ("value",),
            )


def _about_users(declared: Declared) -> Iterator[LintWarning]:
    owners = {token.username for token in declared.tokens}
    mapped = any(not issuer.user_prefix for issuer in declared.issuers)  # external tokens may log in as such users
    for user in declared.users.values():
        if not any(user.name in each.users or user.groups & each.groups for each in declared.bindings):
            yield LintWarning("User", user.name, "may do nothing: no RoleBinding names the user or one of its groups")
        known = user.password_hash is not None or user.name in owners or user.name == ANONYMOUS_NAME or mapped
        if not known:
            yield LintWarning(
                "User", user.name, "has no passwordHash and no Token; only 'token create' lets the user log in"
            )
        cost = cost_of(user.password_hash) if user.password_hash else 0
        if cost > MAX_COST:
            # Unknown users cost as much as the most expensive hash, or the time would reveal them.
            yield LintWarning(
                "User",
                user.name,
                f"has a passwordHash of cost {cost}, and a wrong password of any user takes as long; "
                f"more than {MAX_COST} is of no use",
                ("passwordHash",),
            )


def _about_roles(declared: Declared) -> Iterator[LintWarning]:
    bound = {binding.bound.role.name for binding in declared.bindings}
    bound |= {binding.role.name for issuer in declared.issuers for binding in issuer.bindings}
    for name in declared.roles:
        if name not in bound:
            yield LintWarning("Role", name, "is in no RoleBinding and no TokenIssuer")


def _about_bindings(declared: Declared) -> Iterator[LintWarning]:
    members = frozenset[str]().union(*(user.groups for user in declared.users.values()))
    foreign = any(issuer.groups_claim for issuer in declared.issuers)  # groups that only foreign tokens name
    for binding in declared.bindings:
        for group in sorted(() if foreign else binding.groups - members):
            yield LintWarning(
                "RoleBinding", binding.bound.name, f"names the group {group!r}, which no User is in", ("subjects",)
            )
        if Resource.MANIFESTS in binding.bound.role.resources:
            yield from _about_scopes("RoleBinding", binding.bound.name, binding.bound.scopes)


def _about_quotas(declared: Declared) -> Iterator[LintWarning]:
    for quota in declared.quotas:
        if quota.per is Per.USER and "tags" in quota.limits:
            yield LintWarning(
                "Quota", quota.name, "limits tags per user, without effect: tags belong to no user", ("limits", "tags")
            )


def _about_rules_of_tags(declared: Declared) -> Iterator[LintWarning]:
    for retention in declared.retentions:
        yield from _about_scopes("Retention", retention.name, retention.scopes)
    for protection in declared.protections:
        yield from _about_scopes("TagProtection", protection.name, protection.scopes)
        if not protection.immutable and protection.deletable:
            yield LintWarning("TagProtection", protection.name, "protects nothing: not immutable, and deletable")


def _about_scopes(kind: str, name: str, scopes: Sequence[ScopePattern]) -> Iterator[LintWarning]:
    """Yield the patterns that match repositories, but none of their tags."""
    for index, pattern in enumerate(scopes):
        repositories = [scope for scope in sample_scopes(pattern) if ":" not in scope]
        if repositories and not any(_reaches_tags(scopes, repository) for repository in repositories):
            yield LintWarning(
                kind,
                name,
                f"{pattern.text!r} matches {repositories[0]}, but no tag of it; write {_with_tags(pattern.text)!r}",
                ("scopes", index),
            )


def _reaches_tags(patterns: Iterable[ScopePattern], repository: str) -> bool:
    """Return whether patterns together match a tag of a repository; tries common tags, and those in the patterns."""
    for pattern in patterns:
        if any(pattern.matches(f"{repository}:{tag}") for tag in _TAGS):
            return True
        if any(scope.startswith(f"{repository}:") for scope in sample_scopes(pattern)):
            return True
    return False


def _with_tags(pattern: str) -> str:
    return f"{pattern.removesuffix('$')}(:.+)?$"
