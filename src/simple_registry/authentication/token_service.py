"""Exchange of credentials for short-lived tokens, as the Docker token protocol has it.

A token is a limit: it carries the scopes that were asked for, and the policy decides when it is used. How it will be
used (with which tag, which method) is not known here, so nothing is taken out that a narrow role might need.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.access.caller import Caller, Source
from simple_registry.access.limits import narrowed, parse_requested_scope
from simple_registry.access.signed_tokens import SignedClaims, TokenKind, TokenSigner
from simple_registry.authentication.authenticator import Authenticator
from simple_registry.authentication.credentials import BasicCredentials, ExpiredToken
from simple_registry.clock import Clock
from simple_registry.oci.errors import RegistryError

MAX_SCOPES = 100
REFRESH_LIFE = 30 * 24 * 3600
"""Seconds for which a refresh token is good, unless the credential behind it ends first."""


class GrantUnsupported(RegistryError):
    """code-13: a token request that this registry cannot answer."""

    code = "UNSUPPORTED"
    message = "unsupported token request"
    status = 400


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A refresh token, its id, and the user whose credentials it stands for."""

    secret: str
    token_id: str
    owner: str


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token that is good for `life` seconds, the scopes that it carries, and a refresh token where wanted."""

    access_token: str
    life: int
    scopes: tuple[str, ...]
    refresh: RefreshToken | None = None


class TokenService:
    """Gives tokens for credentials."""

    def __init__(self, authenticator: Authenticator, signer: TokenSigner, clock: Clock, *, life: int) -> None:
        """Let access tokens live for `life` seconds."""
        self._authenticator = authenticator
        self._signer = signer
        self._clock = clock
        self._life = life

    async def of_password(
        self, credentials: BasicCredentials, client: str, scopes: Iterable[str], *, refreshable: bool
    ) -> Grant:
        """Return a token for a name and a password, sent from the address of `client` (RFC 6749, section 4.3).

        Raises: as `of_caller`; Unauthorized, TooManyRequests.
        """
        wanted = _requested(scopes)
        caller = await self._authenticator.log_in(credentials, client)
        return self._grant(caller, wanted, refreshable=refreshable)

    async def of_refresh_token(self, token: str, scopes: Iterable[str]) -> Grant:
        """Return a token for a refresh token, which remains good (RFC 6749, section 6).

        Raises: as `of_caller`; InvalidToken.
        """
        wanted = _requested(scopes)
        return self._grant(await self._authenticator.refresh(token), wanted, refreshable=False)

    def of_caller(self, caller: Caller, scopes: Iterable[str], *, refreshable: bool) -> Grant:
        """Return a token for an authenticated caller; `scopes` as the `scope` parameters of the request.

        Raises: GrantUnsupported, ExpiredToken.
        """
        return self._grant(caller, _requested(scopes), refreshable=refreshable)

    def _grant(self, caller: Caller, scopes: tuple[str, ...], *, refreshable: bool) -> Grant:
        if caller.expired:
            raise ExpiredToken(note="an expired credential cannot be exchanged")
        if caller.derived:  # the scopes of an access token are the one limit that its proof does not know
            scopes = tuple(left for scope in scopes if (left := narrowed(scope, caller.limits[-1])) is not None)
        now = int(self._clock.now())
        life = self._life if caller.expires is None else min(self._life, int(caller.expires) - now)
        if life <= 0:
            raise ExpiredToken(note="it ends within this second")
        token = self._signer.sign(_claims(caller, now, life, scopes), TokenKind.ACCESS)
        refreshable = refreshable and not caller.derived and caller.proof.source is not Source.ANONYMOUS
        return Grant(token, life, scopes, self._refresh_token(caller, now) if refreshable else None)

    def _refresh_token(self, caller: Caller, now: int) -> RefreshToken:
        claims = _claims(caller, now, REFRESH_LIFE if caller.expires is None else int(caller.expires) - now, ())
        return RefreshToken(self._signer.sign(claims, TokenKind.REFRESH), claims.token_id, claims.subject)


def _requested(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the scopes of `scope` parameters, each of which may name several, without those of no meaning here.

    Raises: GrantUnsupported.
    """
    words = [word for text in texts for word in text.split(" ") if word]
    if len(words) > MAX_SCOPES:
        raise GrantUnsupported(reason=f"more than {MAX_SCOPES} scopes")
    return tuple(dict.fromkeys(scope for scope in map(parse_requested_scope, words) if scope is not None))


def _claims(caller: Caller, now: int, life: int, scopes: tuple[str, ...]) -> SignedClaims:
    return SignedClaims(
        subject=caller.identity.name,
        proof=caller.proof,
        issued=now,
        expires=now + life,
        token_id=secrets.token_hex(8),
        scopes=scopes,
    )
