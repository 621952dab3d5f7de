"""Documents about access: `User`, `Role`, `RoleBinding` and `Token`, read into one `AccessRules`.

    documents ──► by kind ──► users, roles, issuers ──► bindings, tokens (which name them) ──► Declared ──► AccessRules
                                                                                                   └──────► warnings

Every refusal names file, line and what would be right. Nothing is guessed: a binding of a user that no document names
is a mistake, unless a trusted issuer's prefix says that such users come from outside.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from simple_registry.access.advice import Advice, Declared
from simple_registry.access.caller import ANONYMOUS_NAME
from simple_registry.access.limits import GrantInvalid, Limit, parse_limit
from simple_registry.access.passwords import is_password_hash
from simple_registry.access.policy import BindingPolicy
from simple_registry.access.roles import (
    Binding,
    BoundRole,
    Role,
    User,
    WordUnknown,
    parse_resources,
    parse_verbs,
)
from simple_registry.access.rules import AccessRules, administrator_binding, administrator_of
from simple_registry.access.token_secrets import StaticToken, token_hash
from simple_registry.config.administrator import parse_user_name
from simple_registry.config.documents import Document, Entry, Place, nearest
from simple_registry.config.settings import Administrator
from simple_registry.config.spec_fields import fields_of, pattern_of, role_of, texts_of
from simple_registry.config.token_issuers import read_issuers
from simple_registry.config.values import ConfigError
from simple_registry.times import TimeInvalid, parse_moment

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})", re.ASCII)
SHORTEST_TOKEN = 32
"""Characters of a token's value: whoever gets hold of its hash tries values without asking the registry."""

Meaning = TypeVar("Meaning")


@dataclass(frozen=True, slots=True)
class _Named:
    """What bindings and tokens may name."""

    users: Mapping[str, User]
    roles: Mapping[str, Role]
    prefixes: Sequence[str]


def names_anybody(kinds: Mapping[str, Sequence[Document]]) -> bool:
    """Return whether documents, by kind, name anybody who could log in; the provisional administrator ends then.

    The user anonymous has no credentials.
    """
    return bool(kinds.get("TokenIssuer")) or any(user.name != ANONYMOUS_NAME for user in kinds.get("User", ()))


def rules_of(declared: Declared) -> AccessRules:
    """Return the rules that declarations make together."""
    return AccessRules(
        users=declared.users,
        policy=BindingPolicy(declared.bindings),
        tokens={token.value_hash: token for token in declared.tokens},
        issuers=declared.issuers,
        administrator=administrator_of(declared.bindings),
    )


def read_declared(kinds: Mapping[str, Sequence[Document]], administrator: Administrator | None) -> Declared:
    """Return what documents, by kind, and the administrator of the flags declare.

    Raises: ConfigError.
    """
    users = {document.name: _user(document) for document in kinds.get("User", ())}
    roles = {document.name: _role(document) for document in kinds.get("Role", ())}
    issuers = read_issuers(kinds.get("TokenIssuer", ()), roles)
    bindings: list[Binding] = []
    if administrator is not None:
        _require_new(administrator.name, kinds.get("User", ()))
        password_hash = administrator.password_hash.reveal()
        users[administrator.name] = User(administrator.name, password_hash=password_hash, fresh=administrator.fresh)
        bindings.append(administrator_binding(administrator.name))
    named = _Named(users, roles, [issuer.user_prefix for issuer in issuers if issuer.user_prefix])
    bindings += [_binding(document, named) for document in kinds.get("RoleBinding", ())]
    tokens = kinds.get("Token", ())
    return Declared(
        users=users,
        roles=roles,
        bindings=bindings,
        tokens=_distinct((document, _token(document, named)) for document in tokens),
        issuers=issuers,
        in_clear=frozenset(document.name for document in tokens if "value" in _spec(document)),
    )


def located(advice: Iterable[Advice], kinds: Mapping[str, Sequence[Document]]) -> Sequence[str]:
    """Return pieces of advice as lines that name file and line, in the order of these."""
    found: list[tuple[Place, str]] = []
    for each in advice:
        for document in kinds.get(each.kind, ()):
            if document.name == each.name:
                place = _place(document, each.at)
                found.append((place, f"{place}: the {each.kind} {each.name!r} {each.text}"))
    return [line for _, line in sorted(found, key=lambda one: (str(one[0].file), one[0].line))]


def _place(document: Document, at: Sequence[str | int]) -> Place:
    entry = document.spec if at else None
    for step in at:
        if entry is not None:
            entry = entry.items()[step] if isinstance(step, int) else entry.any_fields().get(step)
    return document.place if entry is None else entry.place


def _spec(document: Document) -> Mapping[str, Entry]:
    return document.spec.any_fields() if document.spec is not None else {}


def _require_new(name: str, documents: Sequence[Document]) -> None:
    for document in documents:
        if document.name == name:
            raise ConfigError(
                f"{document.place}: the User {name!r} is the administrator of -adminname too; rename one of them"
            )


def _user(document: Document) -> User:
    fields = fields_of(document, ("groups", "passwordHash"))
    hashed = fields.get("passwordHash")
    if document.name == ANONYMOUS_NAME:
        if hashed is not None:
            raise hashed.error("is wrong: the user anonymous calls without credentials and has no password")
    else:
        try:
            parse_user_name(document.name)
        except ConfigError as error:
            raise error.at(document.place) from None
    if hashed is not None and not is_password_hash(hashed.text()):
        raise hashed.error("is not a bcrypt hash; make one with 'simple-registry genhash'")
    groups = [item.text() for item in fields["groups"].items()] if "groups" in fields else []
    return User(document.name, frozenset(groups), hashed.text() if hashed else None)


def _role(document: Document) -> Role:
    fields = fields_of(document, ("resources", "verbs"), ("resources", "verbs"))
    return Role(document.name, _words(fields["resources"], parse_resources), _words(fields["verbs"], parse_verbs))


def _words(entry: Entry, parse: Callable[[Sequence[str]], Meaning]) -> Meaning:
    try:
        return parse(texts_of(entry))
    except WordUnknown as error:
        raise entry.error(f"is wrong: {error}") from None


def _binding(document: Document, named: _Named) -> Binding:
    fields = fields_of(document, ("subjects", "roleRef", "scopes"), ("subjects", "roleRef", "scopes"))
    role = role_of(fields["roleRef"], named.roles)
    subjects = fields["subjects"].items()
    if not subjects:
        raise fields["subjects"].error("is empty; name at least one User or Group")
    users: set[str] = set()
    groups: set[str] = set()
    for subject in subjects:
        kind, name = _subject(subject, named)
        (users if kind == "User" else groups).add(name)
    scopes = tuple(pattern_of(scope) for scope in fields["scopes"].items())
    if not scopes:
        raise fields["scopes"].error("is empty; write '^.*$' for everything")
    return Binding(BoundRole(document.name, role, scopes), frozenset(users), frozenset(groups))


def _subject(entry: Entry, named: _Named) -> tuple[str, str]:
    fields = entry.fields(("kind", "name", "apiGroup"))
    for required in ("kind", "name"):
        if required not in fields:
            raise entry.error(f"needs {required!r}; write {{kind: User, name: …}} or {{kind: Group, name: …}}")
    kind, name = fields["kind"].text(), fields["name"].text()
    if kind not in {"User", "Group"}:
        raise fields["kind"].error(f"is {kind!r}; a subject is a User or a Group")
    if kind == "User" and name not in named.users and not name.startswith(tuple(named.prefixes)):
        raise fields["name"].error(f"names no User: {name!r}{nearest(name, tuple(named.users))}")
    return kind, name


def _token(document: Document, named: _Named) -> StaticToken:
    fields = fields_of(document, ("username", "expiresAt", "value", "valueHash", "scopes"), ("username",))
    username = fields["username"].text()
    if username not in named.users:
        raise fields["username"].error(f"names no User: {username!r}{nearest(username, tuple(named.users))}")
    expires = _moment(fields["expiresAt"]) if "expiresAt" in fields else None
    limit = _limit(fields["scopes"]) if "scopes" in fields else None
    return StaticToken(document.name, username, _hash_of(document, fields), expires, limit)


def _hash_of(document: Document, fields: Mapping[str, Entry]) -> bytes:
    value, hashed = fields.get("value"), fields.get("valueHash")
    if (value is None) == (hashed is None):
        raise ConfigError(
            f"{document.place}: the Token {document.name!r} needs either spec.value or (better) spec.valueHash"
        )
    if value is not None:
        if len(value.text()) < SHORTEST_TOKEN:
            raise value.error(f"is too short for a secret; use at least {SHORTEST_TOKEN} random characters")
        return token_hash(value.text())
    match = _SHA256.fullmatch(hashed.text()) if hashed else None
    if hashed is None or match is None:
        raise fields["valueHash"].error("is not the SHA-256 of a token in hexadecimal (64 digits)")
    return bytes.fromhex(match[1])


def _limit(entry: Entry) -> Limit:
    try:
        return parse_limit(texts_of(entry))
    except GrantInvalid as error:
        raise entry.error(f"is wrong: {error}") from None


def _moment(entry: Entry) -> float:
    """Return the seconds since the epoch of an RFC 3339 time, which names its offset."""
    try:
        return parse_moment(entry.text())
    except TimeInvalid:
        raise entry.error(f"is {entry.text()!r}, not a time like 2027-01-31T12:00:00Z") from None


def _distinct(tokens: Iterable[tuple[Document, StaticToken]]) -> Sequence[StaticToken]:
    known: dict[bytes, StaticToken] = {}
    for document, token in tokens:
        other = known.setdefault(token.value_hash, token)
        if other is not token:
            raise ConfigError(
                f"{document.place}: the Tokens {other.name!r} and {token.name!r} have the same value; give each its own"
            )
    return list(known.values())
