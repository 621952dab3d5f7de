"""Roles and bindings: which verbs on which resources, for which users and groups, within which scopes.

subject (User or Group) ──► binding ──► role (resources x verbs)
                              └──────► scopes (patterns over `repository`, `repository:tag`, or the empty string)
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from simple_registry.access.permission import Permission, Resource
from simple_registry.access.scopes import ScopePattern

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""The HTTP methods that roles may name."""

UNDO = ("history", "restore")
"""The verbs that are no HTTP methods: to read what happened, and to undo it."""

RUN = "run"
"""The verb that starts maintenance. No method gives it, so that no role of older documents does."""

VERBS = (*METHODS, *UNDO, RUN)
"""All verbs of permissions."""

READ = frozenset({"GET", "HEAD"})
PUSH = frozenset({"POST", "PUT", "PATCH"})

VERB_WORDS: Mapping[str, frozenset[str]] = {
    "*": frozenset(VERBS),
    "pull": READ,
    "push": PUSH,
    "delete": frozenset({"DELETE"}),
    **{method.lower(): frozenset({method}) for method in METHODS},
    **{verb: frozenset({verb}) for verb in (*UNDO, RUN)},
    "get": READ,  # reading includes asking whether there is something to read
}
"""The verbs that each word of a role means, in lower case. `delete` is both a word and a method."""

RESOURCE_WORDS: Mapping[str, frozenset[Resource]] = {
    "*": frozenset(Resource),
    **{resource.value: frozenset({resource}) for resource in Resource},
}


EMBRACING = frozenset({"", "^", "$", ".*", "^.*", ".*$", "^.*$"})
"""The texts of patterns that match every scope string."""


class WordInvalid(ValueError):
    """Not a verb or resource of roles; the message lists them."""


@dataclass(frozen=True, slots=True)
class Role:
    """A named set of verbs on resources."""

    name: str
    resources: frozenset[Resource]
    verbs: frozenset[str]

    def covers(self, verb: str, resource: Resource) -> bool:
        """Return whether the role allows a verb on a resource.

        Reading manifests includes listing the tags and referrers of the same repository.
        """
        if verb not in self.verbs:
            return False
        if resource in self.resources:
            return True
        return verb in READ and resource in {Resource.TAGS, Resource.REFERRERS} and Resource.MANIFESTS in self.resources


@dataclass(frozen=True, slots=True)
class BoundRole:
    """A role within scopes; `name` is that of its binding, for explanations."""

    name: str
    role: Role
    scopes: tuple[ScopePattern, ...]

    def allows(self, permission: Permission) -> bool:
        """Return whether this binding alone gives the permission."""
        return self.role.covers(permission.verb, permission.resource) and self.reaches(permission.scope)

    def reaches(self, scope: str) -> bool:
        """Return whether a scope string lies within the binding."""
        return any(pattern.matches(scope) for pattern in self.scopes)

    def may_reach_below(self, beginning: str) -> bool:
        """Return whether a scope string with this prefix may lie within the binding."""
        return any(pattern.may_match_below(beginning) for pattern in self.scopes)

    @property
    def reaches_everything(self) -> bool:
        """Whether a pattern, by its text, matches every scope string."""
        return any(pattern.text in EMBRACING for pattern in self.scopes)

    @property
    def is_unbounded(self) -> bool:
        """Whether this binding alone gives every permission."""
        complete = self.role.verbs >= frozenset(VERBS) and self.role.resources >= frozenset(Resource)
        return complete and self.reaches_everything


@dataclass(frozen=True, slots=True)
class Binding:
    """A bound role with the users and groups that have it."""

    bound: BoundRole
    users: frozenset[str]
    groups: frozenset[str]


@dataclass(frozen=True, slots=True)
class User:
    """A user, who without a hash can log in only with tokens.

    A `fresh` hash was made at this start, of a password in clear; the next start makes another one.
    """

    name: str
    groups: frozenset[str] = frozenset()
    password_hash: str | None = field(default=None, repr=False)
    fresh: bool = False

    @property
    def fingerprint(self) -> str | None:
        """A text that identifies the hash without revealing it; `None` without one."""
        return None if self.password_hash is None else hashlib.sha256(self.password_hash.encode()).hexdigest()[:32]


def parse_verbs(words: Iterable[str]) -> frozenset[str]:
    """Return the verbs that the words of a role mean.

    Raises: WordInvalid.
    """
    return _union(VERB_WORDS, words, "verb")


def parse_resources(words: Iterable[str]) -> frozenset[Resource]:
    """Return the resources that a role names.

    Raises: WordInvalid.
    """
    return _union(RESOURCE_WORDS, words, "resource")


Value = TypeVar("Value")


def _union(table: Mapping[str, frozenset[Value]], words: Iterable[str], what: str) -> frozenset[Value]:
    meaning: set[Value] = set()
    for word in words:
        if word.lower() not in table:
            raise WordInvalid(f"{word!r} is not a {what}; known: {', '.join(table)}")
        meaning |= table[word.lower()]
    return frozenset(meaning)
