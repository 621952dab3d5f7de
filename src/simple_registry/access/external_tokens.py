"""Verifying a token of a trusted issuer (RFC 7519, with the advice of RFC 8725).

The token is taken apart strictly: three parts, canonical base64url, JSON without duplicate names, NaN or lone
surrogates. Of its header only `alg`, `kid`, `typ` and `crit` are read: keys that a token contains or points to
(`jwk`, `jku`, `x5c`, `x5u`) are ignored. Expiry is returned, not judged: an upload may be finished with a token that
expired while it was on its way, and `authentication.authenticator` decides which.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from simple_registry.access.compact import CompactInvalid, parse_compact
from simple_registry.access.issuers import ALGORITHMS, LEEWAY, TrustedIssuer
from simple_registry.access.jwks import PublicKey

MAX_TOKEN = 16 * 1024
"""Characters of a token."""

MAX_KEYS_TRIED = 8
"""Keys tried for a token that names none."""

_TYPES = frozenset({"jwt", "at+jwt"})
_LATEST = 253_402_300_799  # the end of the year 9999
_MAX_KID = 512


class ExternalTokenInvalid(ValueError):
    """Not a valid token of the issuer; the message says why, for the log, and has no part of it."""


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """The parts of a token. Nothing in it is trusted before `verify_external`."""

    algorithm: str
    kid: str | None
    issuer: str
    claims: Mapping[str, object] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ExternalClaims:
    """The claims of a verified token; `expires` in seconds since the epoch, without leeway, perhaps in the past."""

    claims: Mapping[str, object] = field(repr=False)
    expires: float


def read_token(token: str) -> UnverifiedToken:
    """Return the parts of a token, to find its issuer and key.

    Raises: ExternalTokenInvalid.
    """
    if len(token) > MAX_TOKEN:
        raise ExternalTokenInvalid(f"longer than {MAX_TOKEN} characters")
    try:
        parts = parse_compact(token)
    except CompactInvalid as error:
        raise ExternalTokenInvalid(str(error)) from None
    header, claims = _object(parts.header), _object(parts.payload)
    _check_header(header)
    issuer = claims.get("iss")
    if not isinstance(issuer, str):
        raise ExternalTokenInvalid("iss is missing or not text")
    return UnverifiedToken(header["alg"], header.get("kid"), issuer, claims, parts.signed, parts.signature)


def verify_external(token: str, issuer: TrustedIssuer, keys: Sequence[PublicKey], now: float) -> ExternalClaims:
    """Return the claims of a token after verifying everything but its expiry.

    Raises: ExternalTokenInvalid.
    """
    read = read_token(token)
    if read.issuer != issuer.issuer:
        raise ExternalTokenInvalid("of another issuer")
    if read.algorithm not in issuer.algorithms or read.algorithm not in ALGORITHMS:
        raise ExternalTokenInvalid("an algorithm that the issuer's document does not list")
    _check_signature(read, keys)
    return check_claims(read, issuer, now)


def check_claims(read: UnverifiedToken, issuer: TrustedIssuer, now: float) -> ExternalClaims:
    """Return the claims of a token after checking its audience and times; the caller checks the signature.

    Raises: ExternalTokenInvalid.
    """
    _check_audience(read.claims, issuer)
    return ExternalClaims(read.claims, _check_times(read.claims, now))


def candidates(keys: Sequence[PublicKey], kid: str | None) -> Sequence[PublicKey]:
    """Return the keys that a token may be signed with: any key without an id, and every key for a token without one."""
    return [key for key in keys if kid is None or key.kid is None or key.kid == kid]


def _check_header(header: Mapping[str, object]) -> None:
    if "crit" in header or "b64" in header:
        raise ExternalTokenInvalid("a critical header")
    kid, kind = header.get("kid"), header.get("typ", "JWT")
    if not isinstance(header.get("alg"), str):
        raise ExternalTokenInvalid("alg is missing or not text")
    if kid is not None and not (isinstance(kid, str) and len(kid) <= _MAX_KID):
        raise ExternalTokenInvalid("kid is not text, or too long")
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise ExternalTokenInvalid("typ is not JWT")


def _check_signature(read: UnverifiedToken, keys: Sequence[PublicKey]) -> None:
    fitting = [key for key in candidates(keys, read.kid) if read.algorithm in key.algorithms]
    if not fitting:
        raise ExternalTokenInvalid("signed with a key that the issuer does not have, or not for this algorithm")
    import jwt  # noqa: PLC0415 (as in `signed_tokens`)

    algorithm = jwt.get_algorithm_by_name(read.algorithm)
    if not any(algorithm.verify(read.signed, key.key, read.signature) for key in fitting[:MAX_KEYS_TRIED]):
        raise ExternalTokenInvalid("the signature is wrong")


def _check_audience(claims: Mapping[str, object], issuer: TrustedIssuer) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    if not audiences or not all(isinstance(one, str) for one in audiences):
        raise ExternalTokenInvalid("aud is missing or not text")
    if not set(audiences) & set(issuer.audiences):
        raise ExternalTokenInvalid("for another audience")


def _check_times(claims: Mapping[str, object], now: float) -> float:
    """Return when a token expires, after checking all of its times."""
    issued, expires = _time(claims, "iat"), _time(claims, "exp")
    not_before = _time(claims, "nbf") if "nbf" in claims else issued
    if max(issued, not_before) > now + LEEWAY:
        raise ExternalTokenInvalid("not valid yet")
    if expires < issued:
        raise ExternalTokenInvalid("expired before it was issued")
    return expires


def _time(claims: Mapping[str, object], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise ExternalTokenInvalid(f"{name} is missing or not a time")
    return float(value)


def _object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in a part of a token."""
    try:
        # Two readers, each stricter in its own way: the first about characters and numbers, the second about names.
        msgspec.json.decode(data)
        value = json.loads(data, object_pairs_hook=_unique, parse_float=_finite)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise ExternalTokenInvalid("not JSON, or not as strict as a token's must be") from None
    if not isinstance(value, dict):
        raise ExternalTokenInvalid("not a JSON object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a duplicate name")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value
