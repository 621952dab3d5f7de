"""Documents about access: their shapes, and the functions that read them into one `Declared`.

    documents ──► by kind ──► users, roles, issuers ──► bindings, tokens, … (which name them) ──► Declared

Every error has the file, the line and a remedy. Nothing is guessed: a binding of a user that no document names is an
error, unless the prefix of a trusted issuer covers the name.
"""

import re
from collections.abc import Iterable, Mapping, Sequence

from simple_registry.access.caller import ANONYMOUS_NAME
from simple_registry.access.limits import Grant, parse_limit
from simple_registry.access.passwords import is_password_hash
from simple_registry.access.roles import (
    METHODS,
    RESOURCE_WORDS,
    RUN,
    UNDO,
    Binding,
    BoundRole,
    Role,
    User,
    parse_resources,
    parse_verbs,
)
from simple_registry.access.rules import Declared, administrator_binding
from simple_registry.access.token_secrets import StaticToken, token_hash
from simple_registry.config.administrator import parse_user_name
from simple_registry.config.documents import Document, Documents
from simple_registry.config.quota_documents import read_quota
from simple_registry.config.settings import Administrator
from simple_registry.config.shapes import NAME, PATTERN, Field, Fields, Kind, ListOf, Text
from simple_registry.config.subjects import SUBJECT, KnownUsers, read_subjects
from simple_registry.config.tag_documents import read_protection, read_retention
from simple_registry.config.token_issuers import ROLE_REF, read_issuers, role_named
from simple_registry.config.values import ConfigError, nearest
from simple_registry.times import parse_moment

MIN_TOKEN = 32
"""Characters of a token's value, because a stolen hash allows guessing without the registry."""

_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})", re.ASCII)
_LOWER = (method.lower() for method in METHODS if method != "DELETE")
_VERBS = ("pull", "push", "delete", *UNDO, RUN, "*", *METHODS, *_LOWER)


def _grant(text: str) -> Grant:
    return parse_limit([text])[0]


def _password_hash(text: str) -> str:
    if not is_password_hash(text):
        raise ConfigError("not a bcrypt hash; make one with 'simple-registry genhash'")
    return text


def _hash_of_value(text: str) -> bytes:
    if len(text) < MIN_TOKEN:
        raise ConfigError(f"too short for a secret; use at least {MIN_TOKEN} random characters")
    return token_hash(text)


def _value_hash(text: str) -> bytes:
    match = _SHA256.fullmatch(text)
    if match is None:
        raise ConfigError("not the SHA-256 of a token in hexadecimal (64 digits)")
    return bytes.fromhex(match[1])


USER = Kind(
    "User",
    "a user, by password or token; the user `anonymous` is every client without credentials",
    Fields(
        (
            Field(
                "passwordHash",
                Text("bcrypt hash", _password_hash, pattern=r"^\$2[aby]\$[0-3][0-9]\$[./A-Za-z0-9]{53}$"),
                "made by `simple-registry genhash`",
                default="no login by password",
            ),
            Field("groups", ListOf(NAME, empty=True), "what `RoleBinding`s may name", default="none"),
        )
    ),
)
ROLE = Kind(
    "Role",
    "verbs on resources; it gives nothing until a binding names it",
    Fields(
        (
            Field(
                "resources",
                ListOf(Text("word", lambda text: parse_resources([text]), words=tuple(RESOURCE_WORDS))),
                "`manifests` includes reading tags and referrers",
                required=True,
            ),
            Field(
                "verbs",
                ListOf(Text("word", lambda text: parse_verbs([text]), words=_VERBS)),
                "`pull` is GET and HEAD, `push` is POST, PUT and PATCH; GET includes HEAD",
                required=True,
            ),
        )
    ),
)
ROLE_BINDING = Kind(
    "RoleBinding",
    "gives a role to users and groups, within scopes",
    Fields(
        (
            Field(
                "subjects",
                ListOf(SUBJECT, hint="name at least one User or Group"),
                "the users and groups that get the role",
                required=True,
            ),
            Field("roleRef", ROLE_REF, "the role", required=True),
            Field(
                "scopes",
                ListOf(PATTERN, hint="write '^.*$' for everything"),
                "searched in `repository`, `repository:tag`, or the empty text for catalog, metrics and maintenance"
                "; one is enough",
                required=True,
            ),
        )
    ),
)
TOKEN = Kind(
    "Token",
    "a token of a user, for `Authorization: Bearer` or instead of the user's password",
    Fields(
        (
            Field("username", NAME, "its user, of a `User` document", required=True),
            Field(
                "expiresAt",
                Text("RFC 3339 time", parse_moment),
                "such as `2027-01-31T12:00:00Z`",
                default="never, with a warning",
            ),
            Field(
                "valueHash",
                Text("SHA-256", _value_hash, pattern="^(sha256:)?[0-9a-fA-F]{64}$"),
                "of the token, in hexadecimal",
            ),
            Field(
                "value",
                Text(parse=_hash_of_value),
                f"the token itself, at least {MIN_TOKEN} characters; better is `valueHash`",
            ),
            Field(
                "scopes",
                ListOf(Text("scope", _grant, pattern=r"^(repository|registry)(\([a-z]+\))?:.+:[a-z*,]*$")),
                "`repository:<RE2 pattern>:pull,push,delete`, `registry:catalog:*`, `registry:metrics:*`, "
                "`registry:maintenance:*`: its limits",
                default="all that its user may",
            ),
        ),
        one_of=("value", "valueHash"),
    ),
)


def names_users(documents: Documents) -> bool:
    """Return whether documents name a user other than `anonymous`, or an issuer: the provisional administrator ends."""
    return bool(documents.of("TokenIssuer")) or any(user.name != ANONYMOUS_NAME for user in documents.of("User"))


def declared_of(documents: Documents, administrator: Administrator | None) -> Declared:
    """Return the access that documents declare, with the administrator of the options.

    Raises: ConfigError.
    """
    users = {document.name: _user(document) for document in documents.of("User")}
    roles = {document.name: _role(document) for document in documents.of("Role")}
    issuers = read_issuers(documents.of("TokenIssuer"), roles)
    bindings: list[Binding] = []
    if administrator is not None:
        _require_new(administrator.name, documents.of("User"))
        password_hash = administrator.password_hash.reveal()
        users[administrator.name] = User(administrator.name, password_hash=password_hash, fresh=administrator.fresh)
        bindings.append(administrator_binding(administrator.name))
    known = KnownUsers(users, tuple(issuer.user_prefix for issuer in issuers if issuer.user_prefix))
    bindings += [_binding(document, roles, known) for document in documents.of("RoleBinding")]
    tokens = documents.of("Token")
    return Declared(
        users=users,
        roles=roles,
        bindings=bindings,
        tokens=_distinct((document, _token(document, users)) for document in tokens),
        issuers=issuers,
        administrator=None if administrator is None else administrator.name,
        in_clear=frozenset(document.name for document in tokens if document.find("value")),
        retentions=tuple(read_retention(document) for document in documents.of("Retention")),
        protections=tuple(read_protection(document, known) for document in documents.of("TagProtection")),
        quotas=tuple(read_quota(document, known) for document in documents.of("Quota")),
    )


def _require_new(name: str, documents: Sequence[Document]) -> None:
    for document in documents:
        if document.name == name:
            raise ConfigError(
                f"{document.place}: the User {name!r} is the administrator of -adminname too; rename one of them"
            )


def _user(document: Document) -> User:
    spec = USER.read(document)
    if document.name != ANONYMOUS_NAME:
        try:
            parse_user_name(document.name)
        except ConfigError as error:
            raise error.at(document.place) from None
    elif "passwordHash" in spec:
        raise document.error("is wrong: the user anonymous has no credentials, so no password", "passwordHash")
    return User(document.name, frozenset(spec.get("groups", ())), spec.get("passwordHash"))


def _role(document: Document) -> Role:
    spec = ROLE.read(document)
    return Role(document.name, frozenset().union(*spec["resources"]), frozenset().union(*spec["verbs"]))


def _binding(document: Document, roles: Mapping[str, Role], known: KnownUsers) -> Binding:
    spec = ROLE_BINDING.read(document)
    role = role_named(document, spec["roleRef"]["name"], roles, "roleRef", "name")
    users, groups = read_subjects(document, "subjects", spec["subjects"], known)
    return Binding(BoundRole(document.name, role, spec["scopes"]), users, groups)


def _token(document: Document, users: Mapping[str, User]) -> StaticToken:
    spec = TOKEN.read(document)
    username = spec["username"]
    if username not in users:
        raise document.error(f"names no User: {username!r}{nearest(username, tuple(users))}", "username")
    value_hash = spec["value"] if "value" in spec else spec["valueHash"]
    return StaticToken(document.name, username, value_hash, spec.get("expiresAt"), spec.get("scopes"))


def _distinct(tokens: Iterable[tuple[Document, StaticToken]]) -> Sequence[StaticToken]:
    known: dict[bytes, StaticToken] = {}
    for document, token in tokens:
        other = known.setdefault(token.value_hash, token)
        if other is not token:
            raise ConfigError(
                f"{document.place}: the Tokens {other.name!r} and {token.name!r} have the same value; give each its own"
            )
    return list(known.values())
