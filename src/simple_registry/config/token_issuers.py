"""`TokenIssuer` documents: whose signed tokens are believed, with which keys, and what they bring."""

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
from simple_registry.config.documents import Document, Entry, nearest
from simple_registry.config.spec_fields import fields_of, pattern_of, relative_to, role_of, texts_of
from simple_registry.config.values import ConfigError

_FIELDS = (
    "issuer",
    "audience",
    "keys",
    "algorithms",
    "userClaim",
    "userPrefix",
    "groupsClaim",
    "conditions",
    "bindings",
)
_SEPARATORS = ":/.-_@+"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CLAIM = re.compile(r"[A-Za-z_][A-Za-z0-9_.:/-]*", re.ASCII)


def read_issuers(documents: Sequence[Document], roles: Mapping[str, Role]) -> tuple[TrustedIssuer, ...]:
    """Return the issuers that documents describe, none of which can name users of another.

    Raises: ConfigError.
    """
    issuers = tuple(read_issuer(document, roles) for document in documents)
    for (_, one), (document, other) in combinations(zip(documents, issuers, strict=True), 2):
        _require_apart(one, other, document)
    return issuers


def _require_apart(one: TrustedIssuer, other: TrustedIssuer, document: Document) -> None:
    """Refuse `other`, of a document, when a name below its prefix may be one below that of `one`.

    Names without a prefix are those of `User` documents, which no prefix reaches; see `AccessRules.keeps_from`.
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


def read_issuer(document: Document, roles: Mapping[str, Role]) -> TrustedIssuer:
    """Return the issuer that a document describes; its bindings name some of `roles`.

    Raises: ConfigError.
    """
    fields = fields_of(document, _FIELDS, ("issuer", "audience", "keys"))
    return TrustedIssuer(
        name=document.name,
        issuer=_filled(fields["issuer"]),
        audiences=_audiences(fields["audience"]),
        keys=_keys(document, fields["keys"]),
        algorithms=_algorithms(fields["algorithms"]) if "algorithms" in fields else DEFAULT_ALGORITHMS,
        user_claim=_claim(fields["userClaim"]) if "userClaim" in fields else "sub",
        user_prefix=_prefix(fields["userPrefix"]) if "userPrefix" in fields else f"{document.name}:",
        groups_claim=_claim(fields["groupsClaim"]) if "groupsClaim" in fields else None,
        conditions=_conditions(fields["conditions"]) if "conditions" in fields else (),
        bindings=_bindings(fields["bindings"], roles) if "bindings" in fields else (),
    )


def _filled(entry: Entry) -> str:
    text = entry.text()
    if not text:
        raise entry.error("is empty")
    return text


def _audiences(entry: Entry) -> tuple[str, ...]:
    try:
        return (_filled(entry),)
    except ConfigError:
        return tuple(texts_of(entry))


def _claim(entry: Entry) -> str:
    text = entry.text()
    if _CLAIM.fullmatch(text) is None:
        raise entry.error(f"is {text!r}, which is no name of a claim")
    return text


def _prefix(entry: Entry) -> str:
    """Return a prefix that ends visibly, so that no rest of a name makes it that of another issuer or of a user."""
    text = entry.text()
    if text and text[-1] not in _SEPARATORS:
        raise entry.error(
            f"is {text!r}, but must end with one of {' '.join(_SEPARATORS)} or be empty; write {text + ':'!r}"
        )
    return text


def _keys(document: Document, entry: Entry) -> Keys:
    fields = entry.fields(("jwksFile", "jwksURL", "pem"))
    if len(fields) != 1:
        raise entry.error("needs one of jwksFile, jwksURL and pem")
    if "jwksFile" in fields:
        return KeysFromFile(str(relative_to(document, _filled(fields["jwksFile"]))))
    if "pem" in fields:
        return KeysFromPem(tuple(texts_of(fields["pem"])))
    return KeysFromUrl(_https(fields["jwksURL"]))


def _https(entry: Entry) -> str:
    """Return a URL whose answer nobody between can change; plain HTTP is for this machine only."""
    text = entry.text()
    try:
        url = urlsplit(text)
        secure = url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    except ValueError:
        url, secure = None, False
    if url is None or not secure or not url.hostname or url.username is not None:
        raise entry.error(f"is {text!r}; write an https:// URL without a user in it")
    return text


def _algorithms(entry: Entry) -> tuple[str, ...]:
    for item in entry.items():
        if item.text() not in ALGORITHMS:
            raise item.error(f"is {item.text()!r}, which is not accepted{nearest(item.text(), ALGORITHMS)}")
    return tuple(texts_of(entry))


def _conditions(entry: Entry) -> tuple[tuple[str, ScopePattern], ...]:
    return tuple((claim, pattern_of(value)) for claim, value in entry.any_fields().items())


def _bindings(entry: Entry, roles: Mapping[str, Role]) -> tuple[TemplateBinding, ...]:
    return tuple(_template_binding(item, roles) for item in entry.items())


def _template_binding(entry: Entry, roles: Mapping[str, Role]) -> TemplateBinding:
    fields = entry.fields(("roleRef", "scopes"))
    for required in ("roleRef", "scopes"):
        if required not in fields:
            raise entry.error(f"needs {required}")
    texts_of(fields["scopes"])
    return TemplateBinding(
        role_of(fields["roleRef"], roles), tuple(_template(scope) for scope in fields["scopes"].items())
    )


def _template(entry: Entry) -> str:
    """Return a template that makes a valid pattern, whatever the claims hold."""
    text = entry.text()
    try:
        ScopePattern(fill_template(text, dict.fromkeys(template_claims(text), "sample")) or "", of_client=True)
    except PatternInvalid as error:
        raise entry.error(f"is not a valid pattern: {error}") from None
    return text
