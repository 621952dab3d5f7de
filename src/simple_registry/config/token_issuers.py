"""`TokenIssuer` documents: their shape, and the trusted issuers that they describe."""

import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from urllib.parse import urlsplit

from simple_registry.access.issuers import (
    ALGORITHMS,
    DEFAULT_ALGORITHMS,
    Keys,
    KeysFromFile,
    KeysFromPem,
    KeysFromUrl,
    TemplateBinding,
    TrustedIssuer,
    fill_template,
    template_claims,
)
from simple_registry.access.roles import Role
from simple_registry.access.scopes import PatternInvalid, ScopePattern
from simple_registry.config.documents import Document
from simple_registry.config.shapes import NAME, PATH, PATTERN, Field, Fields, Kind, ListOf, MapOf, Text, Values, word
from simple_registry.config.values import ConfigError, nearest

_SEPARATORS = ":/.-_@+"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*", re.ASCII)


def _filled(text: str) -> str:
    if not text:
        raise ConfigError("it is empty")
    return text


def _claim(text: str) -> str:
    if _CLAIM.fullmatch(text) is None:
        raise ConfigError(f"{text!r} is not the name of a claim")
    return text


def _prefix(text: str) -> str:
    """Return a prefix that ends with a separator, so that its names cannot be those of another prefix or of a user."""
    if text and text[-1] not in _SEPARATORS:
        raise ConfigError(
            f"{text!r} does not end with one of {' '.join(_SEPARATORS)}, and is not empty; write {text + ':'!r}"
        )
    return text


def _https(text: str) -> str:
    """Return a URL whose answers cannot be changed in transit: HTTPS, or plain HTTP on this machine."""
    try:
        url = urlsplit(text)
        secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    except ValueError:
        url, secure = None, False
    if url is None or not secure or not url.hostname or url.username is not None:
        raise ConfigError(f"{text!r} is not accepted; write an https:// URL without a user in it")
    return text


def _template(text: str) -> str:
    """Return a template that produces a valid pattern, whatever the values of the claims."""
    try:
        ScopePattern(fill_template(text, dict.fromkeys(template_claims(text), "sample")) or "", of_client=True)
    except PatternInvalid as error:
        raise ConfigError(f"not a valid pattern: {error}") from None
    return text


ROLE_REF = Fields(
    (
        Field("name", NAME, "the `Role`", required=True),
        Field("kind", Text(), "accepted, without effect"),
        Field("apiGroup", Text(), "accepted, without effect"),
    )
)
_BINDING = Fields(
    (
        Field("roleRef", ROLE_REF, "the role", required=True),
        Field(
            "scopes",
            ListOf(Text("RE2 pattern with `{claim}`s", _template)),
            "each `{claim}` is replaced by the claim's value, escaped",
            required=True,
        ),
    )
)
_KEYS = Fields(
    (
        Field("jwksURL", Text("URL", _https), "where the issuer publishes them; `https`, or `http` on this machine"),
        Field("jwksFile", PATH, "a JWKS file, relative to the file that names it"),
        Field("pem", ListOf(Text("PEM")), "public keys"),
    ),
    one_of=("jwksURL", "jwksFile", "pem"),
)
TOKEN_ISSUER = Kind(
    "TokenIssuer",
    "another service, such as a CI system, whose signed tokens (JWT) are accepted",
    Fields(
        (
            Field("issuer", Text(parse=_filled), "the `iss` of its tokens", required=True),
            Field(
                "audience",
                ListOf(Text(parse=_filled), or_one=True),
                "one of these is an `aud` of its tokens",
                required=True,
            ),
            Field("keys", _KEYS, "the keys that verify its signatures", required=True),
            Field("algorithms", ListOf(word(ALGORITHMS)), "of signatures", default=", ".join(DEFAULT_ALGORITHMS)),
            Field("userClaim", Text("claim", _claim), "names the user", default="`sub`"),
            Field(
                "userPrefix",
                Text(parse=_prefix),
                "begins the user's name and ends with one of `: / . - _ @ +`; "
                "the empty text maps onto `User` documents",
                default="`<metadata.name>:`",
            ),
            Field(
                "groupsClaim",
                Text("claim", _claim),
                "text or list of texts: groups of the user, any that bindings name",
                default="no groups",
            ),
            Field(
                "conditions",
                MapOf(PATTERN, "claim"),
                "each claim must be present and match its pattern as a whole",
                default="none: every token of this issuer is accepted",
            ),
            Field("bindings", ListOf(_BINDING, empty=True), "roles of its tokens", default="none"),
        )
    ),
)


def read_issuers(documents: Sequence[Document], roles: Mapping[str, Role]) -> tuple[TrustedIssuer, ...]:
    """Return the issuers that documents describe. None can name users of another.

    Raises: ConfigError.
    """
    issuers = tuple(_issuer(document, roles) for document in documents)
    for (_, one), (document, other) in combinations(zip(documents, issuers, strict=True), 2):
        _require_distinct(one, other, document)
    return issuers


def _require_distinct(one: TrustedIssuer, other: TrustedIssuer, document: Document) -> None:
    """Refuse `other`, of a document, if a name with its prefix could also have the prefix of `one`.

    Names without a prefix are those of `User` documents, which are checked apart; see `AccessRules.keeps_from`.
    """
    prefixes = one.user_prefix, other.user_prefix
    if not all(prefixes) or not (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])):
        return
    if prefixes[0] == prefixes[1] and one.issuer == other.issuer:
        return
    raise ConfigError(
        f"{document.place}: the TokenIssuer {other.name!r} names its users {other.user_prefix + '…'!r} and "
        f"{one.name!r} {one.user_prefix + '…'!r}, so that one could name users of the other; "
        "give one of them another userPrefix"
    )


def role_named(document: Document, name: str, roles: Mapping[str, Role], *path: str | int) -> Role:
    """Return the role that a document names at a path.

    Raises: ConfigError.
    """
    if name not in roles:
        raise document.error(f"names no Role: {name!r}{nearest(name, tuple(roles))}", *path)
    return roles[name]


def _issuer(document: Document, roles: Mapping[str, Role]) -> TrustedIssuer:
    spec = TOKEN_ISSUER.read(document)
    return TrustedIssuer(
        name=document.name,
        issuer=spec["issuer"],
        audiences=spec["audience"],
        keys=_keys(spec["keys"]),
        algorithms=spec.get("algorithms", DEFAULT_ALGORITHMS),
        user_claim=spec.get("userClaim", "sub"),
        user_prefix=spec.get("userPrefix", f"{document.name}:"),
        groups_claim=spec.get("groupsClaim"),
        conditions=tuple(spec.get("conditions", {}).items()),
        bindings=tuple(
            TemplateBinding(
                role_named(document, each["roleRef"]["name"], roles, "bindings", number, "roleRef", "name"),
                each["scopes"],
            )
            for number, each in enumerate(spec.get("bindings", ()))
        ),
    )


def _keys(spec: Values) -> Keys:
    if "jwksFile" in spec:
        return KeysFromFile(str(spec["jwksFile"]))
    return KeysFromPem(spec["pem"]) if "pem" in spec else KeysFromUrl(spec["jwksURL"])
