"""What a scoped credential may do at most: a list of grants. It never adds to what its user may do.

Written `repository:<name or pattern>:<actions>`, `registry:catalog:*` and `registry:metrics:*`, the words of the Docker
token protocol; the actions are `pull`, `push`, `delete` and `*`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from simple_registry.access.permission import OF_REGISTRY, Permission
from simple_registry.access.roles import PUSH, READ
from simple_registry.access.scopes import PatternInvalid, ScopePattern, escape
from simple_registry.oci.errors import NameInvalid
from simple_registry.oci.names import parse_repository_name

ACTIONS = ("pull", "push", "delete")

_ACTION_OF = {**dict.fromkeys(READ, "pull"), **dict.fromkeys(PUSH, "push"), "DELETE": "delete"}
_GRANT = re.compile(r"(repository|registry)(?:\([a-z]+\))?:(.+):([a-z*,]*)", re.ASCII)


REMEMBERED = 1024
"""Limits kept by each process: a token brings the same at every request, and compiling patterns takes a while."""

LONGEST_REMEMBERED = 4 * 1024
"""Characters of a limit that is kept."""


class GrantInvalid(ValueError):
    """A text that is no grant; the message says what one looks like."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on what a pattern matches."""

    kind: str
    pattern: ScopePattern
    actions: frozenset[str]

    def allows(self, permission: Permission) -> bool:
        """Tell whether a permission lies within the grant."""
        if (self.kind == "registry") != (permission.resource in OF_REGISTRY):
            return False
        scope = permission.resource.value if self.kind == "registry" else permission.scope
        return _ACTION_OF.get(permission.verb) in self.actions and self.pattern.matches(scope)


Limit = tuple[Grant, ...]
"""What a credential is limited to; the absence of a limit is `None`, an empty one allows nothing."""


def within(limit: Limit | None, permission: Permission) -> bool:
    """Tell whether a limit leaves room for a permission."""
    return limit is None or any(grant.allows(permission) for grant in limit)


def parse_grant(text: str, *, exact: bool) -> Grant:
    """Return the grant that a text spells; `exact` takes its middle as a name, otherwise as a pattern.

    Raises: GrantInvalid.
    """
    match = _GRANT.fullmatch(text)
    if match is None:
        raise GrantInvalid(f"{text[:200]!r} is not a scope; write repository:<name>:pull,push")
    kind, middle, words = match.groups()
    actions = frozenset(words.split(",")) - {""}
    if not actions <= {*ACTIONS, "*"}:
        raise GrantInvalid(f"{text[:200]!r} has an unknown action; known: {', '.join(ACTIONS)} and *")
    if exact:
        # A name stands for its tags too: a token is asked for before anybody knows which tag.
        middle = f"^{escape(middle)}(:|$)"
    try:
        return Grant(kind, ScopePattern(middle), frozenset(ACTIONS) if "*" in actions else actions)
    except PatternInvalid as error:
        raise GrantInvalid(f"{text[:200]!r} has no valid pattern: {error}") from None


def parse_limit(texts: Iterable[str], *, exact: bool) -> Limit:
    """Return the limit that several texts spell.

    Raises: GrantInvalid.
    """
    spelt = tuple(texts)
    parse = _remembered_limit if sum(map(len, spelt)) <= LONGEST_REMEMBERED else _parse_limit
    return parse(spelt, exact)


def _parse_limit(texts: tuple[str, ...], exact: bool) -> Limit:  # noqa: FBT001 (a key of the cache)
    return tuple(parse_grant(text, exact=exact) for text in texts)


_remembered_limit = lru_cache(REMEMBERED)(_parse_limit)


def scope_text(permission: Permission) -> str:
    """Return the scope that a token needs for a permission, in the words of the Docker token protocol."""
    if permission.resource in OF_REGISTRY:
        return f"registry:{permission.resource}:*"
    repository = permission.scope.partition(":")[0]
    if permission.verb in READ:
        return f"repository:{repository}:pull"
    return f"repository:{repository}:{'pull,push' if permission.verb in PUSH else 'delete'}"


def parse_requested_scope(text: str) -> str | None:
    """Return what a `scope` parameter asks for, as a token carries it; `None` for what means nothing here."""
    match = _GRANT.fullmatch(text)
    if match is None:
        return None
    kind, name, words = match.groups()
    if kind == "registry":
        return f"registry:{name}:*" if name in OF_REGISTRY else None
    asked = words.split(",")
    actions = ACTIONS if "*" in asked else [action for action in ACTIONS if action in asked]
    try:
        return f"repository:{parse_repository_name(name)}:{','.join(actions)}" if actions else None
    except NameInvalid:
        return None


def narrowed(scope: str, limit: Limit) -> str | None:
    """Return what a limit of exact names leaves of a scope; `None` for nothing."""
    (asked,) = parse_limit([scope], exact=True)
    same = [grant.actions for grant in limit if (grant.kind, grant.pattern) == (asked.kind, asked.pattern)]
    left = asked.actions & frozenset[str]().union(*same)
    if left == asked.actions:
        return scope
    return f"{scope.rpartition(':')[0]}:{','.join(action for action in ACTIONS if action in left)}" if left else None
