"""Tokens of trusted issuers: whose one is, with which keys it is verified, and what was verified just now."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.access.external_tokens import (
    ExternalClaims,
    ExternalTokenInvalid,
    UnverifiedToken,
    read_token,
    verify_external,
)
from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.jwks import PublicKey
from simple_registry.authentication.authenticator import VerifiedToken
from simple_registry.authentication.credentials import InvalidToken
from simple_registry.authentication.issuer_keys import IssuerKeys, IssuerKeysUnavailable
from simple_registry.bounded_cache import BoundedCache
from simple_registry.clock import Clock

VERIFIED_CAPACITY = 16 * 1024 * 1024
"""Bytes of the verified tokens that each process keeps, so that the parts of a push do not each cost a signature."""

_COST = 20
"""Bytes that the claims of a token take, for each of its characters, when they are many small values."""


@dataclass(frozen=True, slots=True)
class _Verified:
    """A token that was verified with these keys for this issuer; it must be verified again when either changes."""

    issuer: TrustedIssuer
    keys: Sequence[PublicKey]
    kid: str | None
    told: ExternalClaims


class ExternalTokens:
    """Verifies tokens of trusted issuers; see `authentication.ExternalVerifier`."""

    def __init__(self, keys: IssuerKeys, clock: Clock) -> None:
        """Verify with these keys."""
        self._keys = keys
        self._clock = clock
        self._verified: BoundedCache[bytes, _Verified] = BoundedCache(VERIFIED_CAPACITY)
        self._issuers: Sequence[TrustedIssuer] = ()

    async def verify(self, token: str, issuers: Sequence[TrustedIssuer]) -> VerifiedToken:
        """Return what a token of one of the issuers says. That it expired is no reason to refuse here.

        Raises: InvalidToken.
        """
        if issuers is not self._issuers:  # a reload
            self._issuers = issuers
            self._keys.forget_others(issuers)
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        known = self._verified.find(fingerprint)
        if known is not None and await self._still_holds(known, issuers):
            return VerifiedToken(known.issuer, known.told.claims, known.told.expires)
        self._verified.drop(fingerprint)
        try:
            verified = await self._verify(token, issuers)
        except (ExternalTokenInvalid, IssuerKeysUnavailable) as error:
            raise InvalidToken(note=f"an external token: {error}") from error
        self._verified.keep(fingerprint, verified, _COST * len(token))
        return VerifiedToken(verified.issuer, verified.told.claims, verified.told.expires)

    def stale(self, issuers: Sequence[TrustedIssuer]) -> Sequence[str]:
        """Return the names of the issuers whose keys cannot be asked for now."""
        return self._keys.stale(issuers)

    async def close(self) -> None:
        """Give up what is under way; called when the registry stops."""
        await self._keys.close()

    async def _still_holds(self, known: _Verified, issuers: Sequence[TrustedIssuer]) -> bool:
        if known.issuer not in issuers:
            return False
        try:
            return await self._keys.find(known.issuer, known.kid) is known.keys
        except IssuerKeysUnavailable:
            return False

    async def _verify(self, token: str, issuers: Sequence[TrustedIssuer]) -> _Verified:
        """Return a token verified for the first of its issuer's documents that it suits.

        Raises: ExternalTokenInvalid, IssuerKeysUnavailable.
        """
        read = read_token(token)
        problem: Exception = ExternalTokenInvalid("of an issuer that no TokenIssuer document names")
        for issuer in issuers:
            if issuer.issuer == read.issuer:
                try:
                    return await self._verify_for(token, read, issuer)
                except (ExternalTokenInvalid, IssuerKeysUnavailable) as error:
                    problem = error
        raise problem

    async def _verify_for(self, token: str, read: UnverifiedToken, issuer: TrustedIssuer) -> _Verified:
        keys = await self._keys.find(issuer, read.kid)
        told = verify_external(token, issuer, keys, self._clock.now())
        return _Verified(issuer, keys, read.kid, told)
