"""Verification of tokens of trusted issuers, with a cache of the verified ones."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simple_registry.access.external_tokens import ExternalTokenInvalid, UnverifiedToken, read_token, verify_external
from simple_registry.access.issuers import TrustedIssuer
from simple_registry.access.jwks import PublicKey
from simple_registry.authentication.credentials import InvalidToken
from simple_registry.authentication.issuer_keys import IssuerKeys, IssuerKeysFault
from simple_registry.bounded_cache import BoundedCache
from simple_registry.clock import Clock

VERIFIED_CAPACITY = 16 * 1024 * 1024
"""Bytes of verified tokens that a process caches, so that the requests of a push do not each verify a signature."""

_COST = 20
"""Bytes that the claims of a token take, for each of its characters, when they are many small values."""


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """A token whose signature, audience and times are valid; `expires` in seconds since the epoch, perhaps in the past.

    `keys` and `kid` are what it was verified with: when the issuer or its keys change, it must be verified again.
    """

    issuer: TrustedIssuer
    claims: Mapping[str, object]
    expires: float
    keys: Sequence[PublicKey]
    kid: str | None


class ExternalTokens:
    """Verifies tokens of trusted issuers."""

    def __init__(self, keys: IssuerKeys, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._verified: BoundedCache[bytes, VerifiedToken] = BoundedCache(VERIFIED_CAPACITY)
        self._issuers: Sequence[TrustedIssuer] = ()

    async def verify(self, token: str, issuers: Sequence[TrustedIssuer]) -> VerifiedToken:
        """Return a verified token of one of the issuers. Whether it has expired is not judged here.

        Raises: InvalidToken.
        """
        if issuers is not self._issuers:  # a reload
            self._issuers = issuers
            self._keys.forget_others(issuers)
        fingerprint = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        cached = self._verified.find(fingerprint)
        if cached is not None and await self._still_holds(cached, issuers):
            return cached
        self._verified.drop(fingerprint)
        try:
            verified = await self._verify(token, issuers)
        except (ExternalTokenInvalid, IssuerKeysFault) as error:
            raise InvalidToken(note=f"an external token: {error}") from error
        self._verified.keep(fingerprint, verified, _COST * len(token))
        return verified

    def stale(self, issuers: Sequence[TrustedIssuer]) -> Sequence[str]:
        """Return the names of the issuers whose keys could not be refreshed the last time."""
        return self._keys.stale(issuers)

    async def close(self) -> None:
        """Cancel the requests for keys under way; called when the registry stops."""
        await self._keys.close()

    async def _still_holds(self, cached: VerifiedToken, issuers: Sequence[TrustedIssuer]) -> bool:
        if cached.issuer not in issuers:
            return False
        try:
            return await self._keys.find(cached.issuer, cached.kid) is cached.keys
        except IssuerKeysFault:
            return False

    async def _verify(self, token: str, issuers: Sequence[TrustedIssuer]) -> VerifiedToken:
        """Return a token verified for the first of its issuer's documents that accepts it.

        Raises: ExternalTokenInvalid, IssuerKeysFault.
        """
        read = read_token(token)
        refusal: Exception = ExternalTokenInvalid("of an issuer that no TokenIssuer document names")
        for issuer in issuers:
            if issuer.issuer == read.issuer:
                try:
                    return await self._verify_for(token, read, issuer)
                except (ExternalTokenInvalid, IssuerKeysFault) as error:
                    refusal = error
        raise refusal

    async def _verify_for(self, token: str, read: UnverifiedToken, issuer: TrustedIssuer) -> VerifiedToken:
        keys = await self._keys.find(issuer, read.kid)
        verified = verify_external(token, issuer, keys, self._clock.now())
        return VerifiedToken(issuer, verified.claims, verified.expires, keys, read.kid)
