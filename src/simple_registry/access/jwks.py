"""The public keys of trusted issuers: read from JWKS documents (RFC 7517) and PEM.

Only public keys for signatures are taken, each with the algorithms that its type, and its `alg`, leave: a token cannot
have a key used in a way that was not meant. A document with a private or symmetric key in it is refused as a whole,
since whoever wrote it made a mistake that others should hear of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MOST_KEYS = 100
SHORTEST_RSA = 2048
LONGEST_RSA = 8192
"""Bits. A longer key would only cost time."""

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_SECRET_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})

Key = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class KeysInvalid(Exception):
    """A document holds no keys that can be used, or some that must not be in it; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key of an issuer, its id if it has one, and what it may verify."""

    kid: str | None
    algorithms: frozenset[str]
    key: Key = field(repr=False)


def parse_jwks(data: bytes) -> Sequence[PublicKey]:
    """Return the keys of a JWKS document; those for other uses and of unknown kinds are left out.

    Raises: KeysInvalid.
    """
    try:
        document = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise KeysInvalid("it is not JSON") from None
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise KeysInvalid('it is not a JWKS document: {"keys": [...]}')
    if len(entries) > MOST_KEYS:
        raise KeysInvalid(f"it holds more than {MOST_KEYS} keys")
    keys = [key for key in map(_parse_jwk, entries) if key is not None]
    if not keys:
        raise KeysInvalid("it holds no key that verifies signatures")
    return tuple(keys)


def parse_pem_keys(texts: Sequence[str]) -> Sequence[PublicKey]:
    """Return public keys that are each written in PEM; they have no ids.

    Raises: KeysInvalid.
    """
    return tuple(_parse_pem(text) for text in texts)


def _parse_jwk(entry: Mapping[str, object]) -> PublicKey | None:
    if entry.get("kty") == "oct" or _SECRET_MEMBERS & entry.keys():
        raise KeysInvalid("it holds a private or symmetric key; only public keys belong there")
    operations = entry.get("key_ops")
    if entry.get("use", "sig") != "sig" or (isinstance(operations, list) and "verify" not in operations):
        return None
    kid, named = entry.get("kid"), entry.get("alg")
    try:
        key = _load(entry)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        raise KeysInvalid("it holds a key that cannot be read") from None
    if key is None:
        return None
    fitting = _fitting(key)
    algorithms = fitting if named is None else fitting & {named}
    return PublicKey(kid if isinstance(kid, str) else None, frozenset(algorithms), key) if algorithms else None


def _load(entry: Mapping[str, object]) -> Key | None:
    """Return the key of an entry, `None` for kinds that no known algorithm uses."""
    document = dict(entry)
    key: object
    match entry.get("kty"), entry.get("crv"):
        case "RSA", _:
            key = RSAAlgorithm.from_jwk(document)
        case "EC", "P-256" | "P-384" | "P-521":
            key = ECAlgorithm.from_jwk(document)
        case "OKP", "Ed25519":
            key = OKPAlgorithm.from_jwk(document)
        case _:
            return None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        raise TypeError("not a public key")
    return key


def _parse_pem(text: str) -> PublicKey:
    if "PRIVATE KEY" in text:
        raise KeysInvalid("this is a private key; write its public key: openssl pkey -pubout")
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise KeysInvalid("this is no public key in PEM (BEGIN PUBLIC KEY)") from None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        raise KeysInvalid("keys are RSA, EC or Ed25519")
    algorithms = _fitting(key)
    if not algorithms:
        raise KeysInvalid("the curve is not P-256, P-384 or P-521")
    return PublicKey(None, algorithms, key)


def _fitting(key: Key) -> frozenset[str]:
    """Return the algorithms that a key can be meant for.

    Raises: KeysInvalid for one that is too weak to trust.
    """
    if isinstance(key, RSAPublicKey):
        if not SHORTEST_RSA <= key.key_size <= LONGEST_RSA:
            raise KeysInvalid(f"an RSA key has {key.key_size} bits; {SHORTEST_RSA} to {LONGEST_RSA} are accepted")
        return _RSA
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]} if key.curve.name in _CURVES else ())
    return frozenset({"EdDSA"})
