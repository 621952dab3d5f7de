"""One public key, from a JWK or from PEM, and the algorithms that it can be meant for.

Apart from `jwks`, since the libraries that this needs are only imported where there is an issuer.
"""

from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWTError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

MIN_RSA_BITS = 2048
MAX_RSA_BITS = 8192
"""Bits. A longer key would only cost time."""

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

Key = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


def parse_jwk(entry: Mapping[str, object]) -> tuple[Key, frozenset[str]] | None:
    """Return the key of a JWK and its algorithms, `None` for kinds that no known algorithm uses.

    Raises: ValueError, which says what is wrong.
    """
    try:
        key = _load(entry)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError, UnsupportedAlgorithm):
        raise ValueError("it holds a key that cannot be read") from None
    return None if key is None else (key, _fitting(key))


def parse_pem(text: str) -> tuple[Key, frozenset[str]]:
    """Return a key that is written in PEM, and its algorithms.

    Raises: ValueError, which says what is wrong.
    """
    if "PRIVATE KEY" in text:
        raise ValueError("this is a private key; write its public key: openssl pkey -pubout")
    try:
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("this is no public key in PEM (BEGIN PUBLIC KEY)") from None
    if not isinstance(key, RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey):
        raise ValueError("keys are RSA, EC or Ed25519")  # noqa: TRY004 (it is the text that is wrong)
    algorithms = _fitting(key)
    if not algorithms:
        raise ValueError("the curve is not P-256, P-384 or P-521")
    return key, algorithms


def _load(entry: Mapping[str, object]) -> Key | None:
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


def _fitting(key: Key) -> frozenset[str]:
    """Return the algorithms that a key can be meant for.

    Raises: ValueError for one that is too weak to trust.
    """
    if isinstance(key, RSAPublicKey):
        if not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            raise ValueError(f"an RSA key has {key.key_size} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted")
        return _RSA
    if isinstance(key, EllipticCurvePublicKey):
        return frozenset({_CURVES[key.curve.name]} if key.curve.name in _CURVES else ())
    return frozenset({"EdDSA"})
