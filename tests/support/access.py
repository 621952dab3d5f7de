"""Rules to give to an application: users, roles, bindings and tokens, in one line each."""

from collections.abc import Iterable, Mapping

import bcrypt

from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.limits import parse_limit
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.roles import Binding, BoundRole, Role, User, parse_resources, parse_verbs
from simple_registry.access.rules import AccessRules, administrator_binding
from simple_registry.access.scopes import ScopePattern
from simple_registry.access.token_secrets import StaticToken, token_hash

ADMINISTRATOR = "admin"
PASSWORD = "open sesame"
PASSWORD_HASH = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()

READONLY = ("catalog blobs manifests", "HEAD GET")
READWRITE = ("catalog blobs manifests", "HEAD GET POST PUT PATCH")
ADMINS = ("*", "*")


def role(words: tuple[str, str], name: str = "role") -> Role:
    """Return a role from its resources and its verbs, each as words."""
    resources, verbs = words
    return Role(name, parse_resources(resources.split()), parse_verbs(verbs.split()))


def binding(subject: str, words: tuple[str, str], *scopes: str, name: str | None = None) -> Binding:
    """Return a binding of a user, or of a group that is written `@group`."""
    bound = BoundRole(name or f"{subject}-binding", role(words), tuple(ScopePattern(scope) for scope in scopes))
    if subject.startswith("@"):
        return Binding(bound, frozenset(), frozenset({subject[1:]}))
    return Binding(bound, frozenset({subject}), frozenset())


def static_token(
    value: str, username: str, *, expires: float | None = None, scopes: Iterable[str] | None = None
) -> StaticToken:
    """Return what a `Token` document gives."""
    limit = None if scopes is None else parse_limit(scopes)
    return StaticToken(f"{username}-token", username, token_hash(value), expires, limit)


def rules(
    *bindings: Binding,
    users: Mapping[str, str] | Iterable[str] = (),
    tokens: Iterable[StaticToken] = (),
    issuers: Iterable[TrustedIssuer] = (),
) -> AccessRules:
    """Return rules with the administrator, who may do everything, and `users` (name to groups, as words).

    All have the one password but for `anonymous`, who has none.
    """
    groups = dict(users) if isinstance(users, Mapping) else dict.fromkeys(users, "")
    known = {
        name: User(name, frozenset(words.split()), None if name == "anonymous" else PASSWORD_HASH)
        for name, words in {ADMINISTRATOR: "", **groups}.items()
    }
    return AccessRules(
        users=known,
        policy=BindingPolicy([administrator_binding(ADMINISTRATOR), *bindings]),
        tokens={token.value_hash: token for token in tokens},
        issuers=tuple(issuers),
    )
