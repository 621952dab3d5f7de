"""The registry's own signed tokens: short-lived access tokens with the scopes they grant, and refresh tokens.

JWTs with one fixed algorithm (HMAC-SHA256) and one audience per kind. The key is named by `kid` and looked up among
ours; nothing else in the header counts. Expiry is told, not judged: an upload may be finished with a token that ran
out while it was on its way, and only the caller of `verify` knows whether that is so.
"""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from simple_registry.access.caller import Proof, Source

ISSUER = "simple-registry"
ALGORITHM = "HS256"
REMEMBERED = 2_000
"""Verified tokens kept by each process, so that a token is verified once and not at every request."""

LONGEST_REMEMBERED = 4 * 1024
"""Characters of a token that is kept; what is longer (it holds another issuer's token) is verified every time."""

_REQUIRED = ["iss", "aud", "sub", "iat", "exp", "jti", "src", "scp"]


class TokenKind(StrEnum):
    """What a signed token is for; it is the audience of the token."""

    ACCESS = "simple-registry/access"
    REFRESH = "simple-registry/refresh"


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
        ...

    def find(self, kid: str) -> SigningKey | None:
        """Return the key of this id, if it still verifies."""
        ...


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """What a signed token says. Times in seconds since the epoch; `scopes` as the Docker token protocol writes them."""

    subject: str
    proof: Proof
    issued: int
    expires: int
    token_id: str
    scopes: tuple[str, ...] = ()


class SignedTokenInvalid(Exception):
    """No token of ours, or not of the kind that is wanted here; the message is for the log."""


class TokenSigner:
    """Signs and verifies."""

    def __init__(self, keys: SigningKeys) -> None:
        """Use these keys."""
        self._keys = keys
        self._verified: OrderedDict[tuple[bytes, TokenKind], tuple[SigningKey, SignedClaims]] = OrderedDict()

    def sign(self, claims: SignedClaims, kind: TokenKind) -> str:
        """Return a token that says `claims`."""
        key = self._keys.current()
        document = {
            "iss": ISSUER,
            "aud": kind.value,
            "sub": claims.subject,
            "iat": claims.issued,
            "exp": claims.expires,
            "jti": claims.token_id,
            "src": [claims.proof.source.value, claims.proof.reference],
            "scp": list(claims.scopes),
        }
        import jwt  # noqa: PLC0415 (a fifth of the time of a start; not every registry gives tokens)

        return jwt.encode(document, key.secret, algorithm=ALGORITHM, headers={"kid": key.kid})

    def verify(self, token: str, kind: TokenKind) -> SignedClaims:
        """Return what a token says, once its signature and kind are right.

        Raises: SignedTokenInvalid.
        """
        if len(token) > LONGEST_REMEMBERED:
            return self._verify(token, kind)[1]
        mark = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest(), kind
        known = self._verified.get(mark)
        if known is not None and self._keys.find(known[0].kid) == known[0]:
            return known[1]
        self._verified.pop(mark, None)
        verified = self._verify(token, kind)
        self._verified[mark] = verified
        if len(self._verified) > REMEMBERED:
            self._verified.popitem(last=False)
        return verified[1]

    def _verify(self, token: str, kind: TokenKind) -> tuple[SigningKey, SignedClaims]:
        """Return the key that signed a token, and what it says."""
        import jwt  # noqa: PLC0415 (as above)

        try:
            kid = jwt.get_unverified_header(token).get("kid")
            key = self._keys.find(kid) if isinstance(kid, str) else None
            if key is None:
                raise SignedTokenInvalid("signed with a key that is not, or no longer, ours")
            document = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                audience=kind.value,
                issuer=ISSUER,
                options={"require": _REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            return key, _claims(document)
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise SignedTokenInvalid(f"{type(error).__name__}: {error}") from error


def _claims(document: dict[str, Any]) -> SignedClaims:
    source, reference = document["src"]
    if not (isinstance(document["iat"], int) and isinstance(document["exp"], int)):
        raise TypeError("a time that is no whole number")
    return SignedClaims(
        subject=document["sub"],
        proof=Proof(Source(source), reference),
        issued=document["iat"],
        expires=document["exp"],
        token_id=document["jti"],
        scopes=tuple(document["scp"]),
    )
