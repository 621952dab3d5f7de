"""The limit of a token with scopes: a list of grants. It never adds to the permissions of its user.

Written `repository:<name or pattern>:<actions>`, `registry:catalog:*`, and the same with other resources of the
registry, the words of the Docker token protocol; the actions are `pull`, `push`, `delete`, `history`, `restore`, `run`
and `*`. The middle is read by where the text comes from:

    Token document    pattern                                  parse_limit
    issued token      pattern within the budget of clients     parse_client_limit
    access token      name                                     parse_exact_limit
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from simple_registry.access.permission import OF_REGISTRY, Permission
from simple_registry.access.roles import PUSH, READ, RUN, UNDO
from simple_registry.access.scopes import PatternInvalid, ScopeName, ScopePattern
from simple_registry.oci.errors import NameInvalid
from simple_registry.oci.names import parse_repository_name

OF_REPOSITORY = ("pull", "push", "delete", *UNDO)
"""The actions that have a meaning in repositories."""

ACTIONS = (*OF_REPOSITORY, RUN)

_ACTION_OF = {
    **dict.fromkeys(READ, "pull"),
    **dict.fromkeys(PUSH, "push"),
    "DELETE": "delete",
    **{verb: verb for verb in (*UNDO, RUN)},
}
_GRANT = re.compile(r"(repository|registry)(?:\([a-z]+\))?:(.+):([a-z*,]*)", re.ASCII)

MAX_CLIENT_LIMIT = 4_000
"""Instructions of all patterns of one limit that a client made; see `scopes.MAX_CLIENT_PATTERN`."""

_UNICODE_CLASS = re.compile(r"\\[pP]")


class GrantInvalid(ValueError):
    """Not a valid grant; the message shows the expected form."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on what a pattern or a name matches."""

    kind: str
    pattern: ScopePattern | ScopeName
    actions: frozenset[str]

    def allows(self, permission: Permission) -> bool:
        """Return whether a permission lies within the grant."""
        if (self.kind == "registry") != (permission.resource in OF_REGISTRY):
            return False
        scope = permission.resource.value if self.kind == "registry" else permission.scope
        return _ACTION_OF.get(permission.verb) in self.actions and self.pattern.matches(scope)


Limit = tuple[Grant, ...]
"""What a credential is limited to; the absence of a limit is `None`, an empty one allows nothing."""


def within(limit: Limit | None, permission: Permission) -> bool:
    """Return whether a limit includes a permission."""
    return limit is None or any(grant.allows(permission) for grant in limit)


def parse_limit(texts: Iterable[str]) -> Limit:
    """Return the limit that the scopes of a document spell.

    Raises: GrantInvalid.
    """
    return tuple(_grant(text, ScopePattern) for text in texts)


def parse_client_limit(texts: Iterable[str]) -> Limit:
    """Return the limit that scopes of a client spell. Compiling them takes milliseconds: call it in a thread.

    Raises: GrantInvalid, for scopes that cost too much as well.
    """
    size, limit = 0, []
    for text in texts:
        grant = _grant(text, _client_pattern)
        size += grant.pattern.size
        if size > MAX_CLIENT_LIMIT:
            raise GrantInvalid(f"the patterns are too large together: more than {MAX_CLIENT_LIMIT} instructions")
        limit.append(grant)
    return tuple(limit)


def parse_exact_limit(texts: Iterable[str]) -> Limit:
    """Return the limit that scopes with names, not patterns, spell.

    Raises: GrantInvalid.
    """
    return tuple(_grant(text, ScopeName) for text in texts)


def _client_pattern(text: str) -> ScopePattern:
    # Reading a class of Unicode takes a millisecond, thousands of times what other parts of a pattern take.
    if _UNICODE_CLASS.search(text):
        raise PatternInvalid("names are ASCII; write [a-z0-9] for a class such as \\pL")
    return ScopePattern(text, of_client=True)


def _grant(text: str, read: Callable[[str], ScopePattern | ScopeName]) -> Grant:
    match = _GRANT.fullmatch(text)
    if match is None:
        raise GrantInvalid(f"{text[:200]!r} is not a scope; write repository:<name>:pull,push")
    kind, middle, words = match.groups()
    actions = frozenset(words.split(",")) - {""}
    if not actions <= {*ACTIONS, "*"}:
        raise GrantInvalid(f"{text[:200]!r} has an unknown action; known: {', '.join(ACTIONS)} and *")
    try:
        return Grant(kind, read(middle), frozenset(ACTIONS) if "*" in actions else actions)
    except PatternInvalid as error:
        raise GrantInvalid(f"{text[:200]!r} has no valid pattern: {error}") from None


def scope_text(permission: Permission) -> str:
    """Return the scope that a token needs for a permission, in the words of the Docker token protocol."""
    if permission.resource in OF_REGISTRY:
        return f"registry:{permission.resource}:*"
    repository = permission.scope.partition(":")[0]
    if permission.verb in READ:
        return f"repository:{repository}:pull"
    return f"repository:{repository}:{'pull,push' if permission.verb in PUSH else _ACTION_OF[permission.verb]}"


def parse_requested_scope(text: str) -> str | None:
    """Return what a `scope` parameter asks for, as a token carries it; `None` for what means nothing here."""
    match = _GRANT.fullmatch(text)
    if match is None:
        return None
    kind, name, words = match.groups()
    if kind == "registry":
        return f"registry:{name}:*" if name in OF_REGISTRY else None
    asked = words.split(",")
    actions = OF_REPOSITORY if "*" in asked else [action for action in ACTIONS if action in asked]
    try:
        return f"repository:{parse_repository_name(name)}:{','.join(actions)}" if actions else None
    except NameInvalid:
        return None


def narrowed(scope: str, limit: Limit) -> str | None:
    """Return what a limit of exact names leaves of a scope; `None` for nothing."""
    (asked,) = parse_exact_limit([scope])
    same = [grant.actions for grant in limit if (grant.kind, grant.pattern) == (asked.kind, asked.pattern)]
    left = asked.actions & frozenset[str]().union(*same)
    if left == asked.actions:
        return scope
    return f"{scope.rpartition(':')[0]}:{','.join(action for action in ACTIONS if action in left)}" if left else None
