"""Signed tokens: short-lived access tokens with the scopes that limit them, refresh tokens, and those of web sessions.

JWTs with one fixed algorithm (HMAC-SHA256) and one audience per kind. `kid` names one of our keys; the rest of the
header is ignored. Expiry is returned, not judged: an upload may be finished with a token that expired meanwhile, and
only the caller of `verify` knows whether this is one.

A token is derived from credentials that can do more, and carries their proof, which is checked again. Since tokens end
up in logs, the proof is encrypted (AES-256-GCM): a token contains nothing that proves more than the token itself.
"""

import hashlib
import hmac
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from simple_registry.access.caller import Proof, Source
from simple_registry.access.compact import decode_base64url, encode_base64url, parse_compact
from simple_registry.bounded_cache import BoundedCache

ISSUER = "simple-registry"
ALGORITHM = "HS256"
VERIFIED_CAPACITY = 16 * 1024 * 1024
"""Bytes of verified tokens that a process caches, so that a token is not verified at every request."""

_COST = 4
"""Bytes of a cached token for each of its characters; scopes are many short objects."""

_ENTRY_COST = 2048
_NONCE_SIZE = 12
_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "src", "scp"]


class TokenKind(StrEnum):
    """The use of a signed token, which is its audience."""

    ACCESS = "simple-registry/access"
    REFRESH = "simple-registry/refresh"
    WEB_SESSION = "simple-registry/web-session"


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A secret that signs; `created` in seconds since the epoch."""

    kid: str
    secret: bytes = field(repr=False)
    created: float = 0.0


class SigningKeys(Protocol):
    """The keys of this data directory, the same in every worker."""

    def current(self) -> SigningKey:
        """Return the key that signs."""

    def find(self, kid: str) -> SigningKey | None:
        """Return the key of this id, if it still verifies."""


class GivenKey:
    """The one key that is derived from an operator's secret, for registries that share it or keep no key on disk."""

    def __init__(self, secret: bytes) -> None:
        """Derive key and id, so that neither the length nor the text of the secret shows in anything."""
        key = hmac.digest(secret, b"simple-registry signing key", hashlib.sha256)
        self._key = SigningKey("given-" + hmac.digest(key, b"kid", hashlib.sha256).hex()[:16], key)

    def current(self) -> SigningKey:
        """Return the key."""
        return self._key

    def find(self, kid: str) -> SigningKey | None:
        """Return the key if it has this id."""
        return self._key if kid == self._key.kid else None


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """The claims of a signed token. Times in seconds since the epoch; `scopes` as in the Docker token protocol."""

    subject: str
    proof: Proof
    issued: int
    expires: int
    token_id: str
    scopes: tuple[str, ...] = ()


class SignedTokenInvalid(ValueError):
    """Not a valid signed token of the wanted kind; the message is for the log."""


class TokenSigner:
    """Signs and verifies."""

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._verified: BoundedCache[tuple[bytes, TokenKind], tuple[SigningKey, SignedClaims]] = BoundedCache(
            VERIFIED_CAPACITY
        )

    def sign(self, claims: SignedClaims, kind: TokenKind) -> str:
        """Return a token with these claims."""
        key = self._keys.current()
        document = {
            "iss": ISSUER,
            "aud": kind.value,
            "sub": claims.subject,
            "iat": claims.issued,
            "exp": claims.expires,
            "jti": claims.token_id,
            "src": _seal(key, claims.token_id, claims.proof),
            "scp": list(claims.scopes),
        }
        import jwt  # noqa: PLC0415 (a fifth of the time of a start; not every registry gives tokens)

        return jwt.encode(document, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid})

    def verify(self, token: str, kind: TokenKind) -> SignedClaims:
        """Return the claims of a token after verifying its signature and kind.

        Raises: SignedTokenInvalid.
        """
        mark = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), kind
        known = self._verified.find(mark)
        if known is not None and self._keys.find(known[0].kid) == known[0]:
            return known[1]
        self._verified.drop(mark)
        verified = self._verify(token, kind)
        self._verified.keep(mark, verified, _ENTRY_COST + _COST * len(token))
        return verified[1]

    def _verify(self, token: str, kind: TokenKind) -> tuple[SigningKey, SignedClaims]:
        """Return the key that signed a token, and its claims."""
        import jwt  # noqa: PLC0415 (as above)

        try:
            parse_compact(token)  # PyJWT accepts more than one spelling of a token
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise jwt.InvalidKeyError("signed with a key that is not, or no longer, ours")
            document = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=kind.value,
                issuer=ISSUER,
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            return key, _claims(document, key)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise SignedTokenInvalid(f"{type(error).__name__}: {error}") from error


def _claims(document: Mapping[str, Any], key: SigningKey) -> SignedClaims:
    if not (isinstance(document["iat"], int) and isinstance(document["exp"], int)):
        raise TypeError("a time that is not a whole number")
    return SignedClaims(
        subject=document["sub"],
        proof=_unseal(key, document["jti"], document["src"]),
        issued=document["iat"],
        expires=document["exp"],
        token_id=document["jti"],
        scopes=tuple(document["scp"]),
    )


def _seal(key: SigningKey, token_id: str, proof: Proof) -> str:
    nonce = secrets.token_bytes(_NONCE_SIZE)
    # Compressed: a foreign token in base64 takes its own length then, not a third more.
    plain = zlib.compress(json.dumps([proof.source.value, proof.reference]).encode())
    return encode_base64url(nonce + _cipher(key, token_id).encrypt(nonce, plain, None))


def _unseal(key: SigningKey, token_id: str, sealed: str) -> Proof:
    """Return the proof in a token.

    Raises: ValueError, TypeError.
    """
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415 (as above)

    data = decode_base64url(sealed)
    try:
        plain = _cipher(key, token_id).decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], None)
    except InvalidTag:
        raise ValueError("a proof that is not sealed with the key that signed it") from None
    source, reference = json.loads(zlib.decompress(plain))
    return Proof(Source(source), reference)


def _cipher(key: SigningKey, token_id: str) -> Any:
    """Return the cipher of one token. Each has its own key, so random nonces never repeat under one."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 (as above)

    return AESGCM(hmac.digest(key.secret, b"simple-registry proof of " + token_id.encode(), hashlib.sha256))
