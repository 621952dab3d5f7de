"""Web sessions: what a browser is signed in with, from signing in to signing out.

A web session is a signed token in a cookie. It carries the proof of its credentials, which is checked at every request
as that of every signed token, so it ends with them: when the password changes, the token is revoked, the user removed.
Only a session that its user ended has a row, until it would have expired: a token cannot be taken back.
"""

import secrets
from dataclasses import dataclass, field
from typing import Protocol

from simple_registry.access.caller import Caller, Source
from simple_registry.access.signed_tokens import SignedClaims, SignedTokenInvalid, TokenKind, TokenSigner
from simple_registry.authentication.authenticator import Authenticator
from simple_registry.authentication.credentials import (
    NO_CREDENTIALS,
    BasicCredentials,
    InvalidToken,
    WrongCredentials,
)
from simple_registry.clock import Clock

LIFE = 12 * 3600
"""Seconds after which a user has to sign in again."""

_SOURCES = frozenset({Source.PASSWORD, Source.ISSUED_TOKEN, Source.STATIC_TOKEN})
"""The credentials that begin a session. An external token proves a job, and is too long for a cookie."""


@dataclass(frozen=True, slots=True)
class WebSession:
    """A session that begins or ends: its id and token, the seconds for which it lives, and its user."""

    session_id: str
    token: str = field(repr=False)
    life: int
    user: str


class EndedSessions(Protocol):
    """The sessions that their users ended, in the stores of all workers."""

    async def has_ended(self, session_id: str) -> bool:
        """Return whether a session ended."""

    async def end_web_session(self, session_id: str, expires: float) -> None:
        """Record that a session ended, until it would have expired."""


class WebSessions:
    """Begins, resumes and ends web sessions."""

    def __init__(self, authenticator: Authenticator, signer: TokenSigner, ended: EndedSessions, clock: Clock) -> None:
        self._authenticator = authenticator
        self._signer = signer
        self._ended = ended
        self._clock = clock

    async def begin(self, credentials: BasicCredentials, client: str) -> WebSession:
        """Return a new session for a name and a password, or a token in its place, sent from the address `client`.

        Raises: Unauthorized, TooManyRequests.
        """
        if credentials == NO_CREDENTIALS:
            raise WrongCredentials(note="an empty form")
        caller = await self._authenticator.log_in(credentials, client)
        now = int(self._clock.now())
        life = LIFE if caller.expires is None else min(LIFE, int(caller.expires) - now)
        if caller.proof.source not in _SOURCES or caller.derived or caller.expired or life <= 0:
            raise WrongCredentials(note="credentials that begin no web session")
        claims = SignedClaims(
            subject=caller.identity.name,
            proof=caller.proof,
            issued=now,
            expires=now + life,
            token_id=secrets.token_hex(16),
        )
        return _session(claims, self._signer.sign(claims, TokenKind.WEB_SESSION))

    async def resume(self, token: str) -> Caller:
        """Return the caller of a session's token.

        Raises: InvalidToken.
        """
        claims = self._claims(token)
        if await self._ended.has_ended(claims.token_id):
            raise InvalidToken(note="the user signed out")
        return await self._authenticator.resume(token)

    async def end(self, token: str) -> WebSession:
        """End the session of a token, in every worker and after every restart. Return it.

        Raises: InvalidToken.
        """
        claims = self._claims(token)
        await self._ended.end_web_session(claims.token_id, claims.expires)
        return _session(claims, token)

    def _claims(self, token: str) -> SignedClaims:
        try:
            return self._signer.verify(token, TokenKind.WEB_SESSION)
        except SignedTokenInvalid as error:
            raise InvalidToken(note=str(error)) from error


def _session(claims: SignedClaims, token: str) -> WebSession:
    return WebSession(claims.token_id, token, claims.expires - claims.issued, claims.subject)
