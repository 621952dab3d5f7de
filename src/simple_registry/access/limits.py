"""What a scoped credential may do at most: a list of grants. It never adds to what its user may do.

Written `repository:<name or pattern>:<actions>`, `registry:catalog:*` and `registry:metrics:*`, the words of the Docker
token protocol; the actions are `pull`, `push`, `delete` and `*`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from simple_registry.access.permission import OF_REGISTRY, Permission
from simple_registry.access.roles import PUSH, READ
from simple_registry.access.scopes import PatternInvalid, ScopePattern, escape

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


@dataclass(frozen=True, slots=True)
class RequestedScope:
    """What a client asks a token for: actions on one repository, or on the catalog."""

    kind: str
    name: str
    actions: Sequence[str]

    def text(self, actions: Iterable[str]) -> str:
        """Return the scope again, with other actions."""
        return f"{self.kind}:{self.name}:{','.join(actions)}"


def parse_requested_scope(text: str) -> RequestedScope | None:
    """Return what a `scope` parameter asks for, or `None` for kinds and shapes that grant nothing here."""
    match = _GRANT.fullmatch(text)
    if match is None:
        return None
    kind, name, words = match.groups()
    return RequestedScope(kind, name, tuple(word for word in words.split(",") if word in {*ACTIONS, "*"}))
