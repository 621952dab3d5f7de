"""Rules to give to an application: users, roles, bindings and tokens, in one line each."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

import bcrypt

from simple_registry.access.caller import Identity
from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.limits import parse_limit
from simple_registry.access.permission import Permission, Resource
from simple_registry.access.policy import Allowed, BindingPolicy, Policy
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
    """Return rules with the administrator, with all permissions, and `users` (name to groups, as words).

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


def decided_by(policy: Policy, *, users: Iterable[str] = ()) -> AccessRules:
    """Return rules with a policy that only decides; listings ask for the same decisions."""
    return replace(rules(users=users), policy=_Deciding(policy))  # type: ignore[arg-type]


class _Deciding:
    def __init__(self, policy: Policy) -> None:
        self.decide = policy.decide

    def reach(self, identity: Identity, verb: str, resource: Resource) -> Callable[[str], bool]:
        return lambda scope: isinstance(self.decide(identity, Permission(verb, resource, scope)), Allowed)

    def reach_below(self, _identity: Identity, _verb: str, _resource: Resource) -> Callable[[str], bool]:
        return lambda _beginning: True
