"""The public keys of trusted issuers: read from JWKS documents (RFC 7517) and PEM.

Only public keys for signatures are taken, each with the algorithms that its type, and its `alg`, leave: a token cannot
have a key used in a way that was not meant. An entry that cannot be used is left out, with a reason for the log. It
never spoils the others: refusing the document would leave the keys of before in use, withdrawn ones too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

MAX_KEYS = 100

_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


class KeysInvalid(ValueError):
    """Not a document of keys, or a key that cannot be used; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of an issuer, its id if it has one, and what it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: object = field(repr=False)


@dataclass(frozen=True, slots=True)
class Jwks:
    """The keys of a JWKS document, perhaps none, and the reasons why invalid entries were left out."""

    keys: tuple[PublicKey, ...]
    rejected: tuple[str, ...] = ()


def parse_jwks(data: bytes) -> Jwks:
    """Return the keys of a JWKS document; those for other uses and of unknown kinds are left out.

    Raises: KeysInvalid, for what is not such a document at all.
    """
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise KeysInvalid("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise KeysInvalid('it is not a JWKS document: {"keys": [...]}')
    if len(entries) > MAX_KEYS:
        raise KeysInvalid(f"it holds more than {MAX_KEYS} keys")
    keys: list[PublicKey] = []
    rejected: dict[str, None] = {}
    for entry in entries:
        try:
            key = _parse_jwk(entry)
        except KeysInvalid as error:
            rejected[str(error)] = None
        else:
            keys += () if key is None else (key,)
    return Jwks(tuple(keys), tuple(rejected))


def parse_pem_keys(texts: Sequence[str]) -> Sequence[PublicKey]:
    """Return public keys that are each written in PEM; they have no ids.

    Raises: KeysInvalid.
    """
    from simple_registry.access.public_keys import parse_pem  # noqa: PLC0415 (a fifth of the time of a start)

    try:
        return tuple(PublicKey(None, algorithms, key) for key, algorithms in map(parse_pem, texts))
    except ValueError as error:
        raise KeysInvalid(str(error)) from None


def _parse_jwk(entry: Mapping[str, object]) -> PublicKey | None:
    from simple_registry.access.public_keys import parse_jwk  # noqa: PLC0415 (as above)

    if not isinstance(entry, dict):
        raise KeysInvalid("it holds an entry that is not an object")
    if entry.get("kty") == "oct" or _SECRET_MEMBERS & entry.keys():
        raise KeysInvalid("it holds a private or symmetric key; only public keys belong there")
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    kid, named = entry.get("kid"), entry.get("alg")
    if named is not None and not isinstance(named, str):
        raise KeysInvalid("it holds a key whose 'alg' is not text")
    try:
        found = parse_jwk(entry)
    except ValueError as error:
        raise KeysInvalid(str(error)) from None
    if found is None:
        return None
    key, fitting = found
    algorithms = fitting if named is None else fitting & {named}
    return PublicKey(kid if isinstance(kid, str) else None, frozenset(algorithms), key) if algorithms else None
