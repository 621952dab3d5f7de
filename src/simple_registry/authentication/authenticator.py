"""Authentication: from an `Authorization` header to a caller.

    Basic   name + password     a user's password, or any token below in its place
    Bearer  static token        of a `Token` document
            issued token        of the database, until it is revoked
            signed token        derived from one of these, or from an anonymous call; its proof is checked again
            external token      of the issuer of a `TokenIssuer` document

The proof of a signed token is checked at every request against the rules of that moment: removing the user, changing
the password, revoking the token and no longer trusting the issuer end it at once. An issued token that was made with a
password ends with that password too. Expired credentials give a caller that is marked as expired for a day, and are
rejected afterwards; `dispatch` and the handlers of uploads know the one thing that such a caller may still do.
"""

from collections.abc import Callable
from dataclasses import replace

from simple_registry.access.caller import EXPIRED_KEPT, Caller, Identity, Proof, Source
from simple_registry.access.issuers import LEEWAY, ClaimsInvalid
from simple_registry.access.limits import GrantInvalid, parse_exact_limit
from simple_registry.access.passwords import is_like_token
from simple_registry.access.rules import AccessRules
from simple_registry.access.signed_tokens import SignedTokenInvalid, TokenKind, TokenSigner
from simple_registry.access.token_secrets import ISSUED_PREFIX, token_hash
from simple_registry.authentication.credentials import (
    NO_CREDENTIALS,
    BasicCredentials,
    ExpiredToken,
    InvalidToken,
    WrongCredentials,
    parse_authorization,
)
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.issued_limits import IssuedLimits
from simple_registry.authentication.password_verifier import PasswordVerifier
from simple_registry.authentication.recent_logins import RecentLogins
from simple_registry.clock import Clock
from simple_registry.oci.errors import Unauthorized
from simple_registry.operations.issued_tokens import TokenRow, Tokens

MAX_NAME = 255
"""Characters of a user's name in Basic credentials."""

_JWT_DOTS = 2


class Authenticator:
    """Turns headers into callers."""

    def __init__(
        self,
        rules: Callable[[], AccessRules],
        *,
        passwords: PasswordVerifier,
        tokens: Tokens,
        signer: TokenSigner,
        external: ExternalTokens,
        clock: Clock,
    ) -> None:
        """Authenticate by the `rules` of each moment, with these verifiers."""
        self._rules = rules
        self._passwords = passwords
        self.recent = RecentLogins(clock)
        self._tokens = tokens
        self._issued_limits = IssuedLimits()
        self._signer = signer
        self._external = external
        self._clock = clock

    async def authenticate(self, header: str | None, client: str) -> Caller:
        """Return the caller that sends this header from the address `client`.

        Raises: Unauthorized (InvalidToken for tokens), TooManyRequests.
        """
        rules = self._rules()
        if header is None:
            return self._anonymous(rules)
        cached = self.recent.find(header, rules)
        if cached is not None:
            return cached
        credentials = parse_authorization(header)
        if isinstance(credentials, BasicCredentials):
            caller = await self._log_in(rules, credentials, client)
            if caller.proof.source is Source.PASSWORD and caller.expires is None:
                self.recent.keep(header, rules, caller)
            return caller
        found = await self._of_token(rules, credentials.token)
        if found is None:
            raise InvalidToken(note="an unknown bearer token")
        return self._judged(found)

    async def log_in(self, credentials: BasicCredentials, client: str) -> Caller:
        """Return the caller of a name and a password, or a token in its place; two empty texts are an anonymous call.

        Raises: Unauthorized, TooManyRequests.
        """
        return await self._log_in(self._rules(), credentials, client)

    async def _log_in(self, rules: AccessRules, credentials: BasicCredentials, client: str) -> Caller:
        if credentials == NO_CREDENTIALS:
            return self._anonymous(rules)
        if len(credentials.name) > MAX_NAME:
            raise WrongCredentials(note="a name of unusual length")
        try:
            caller = await self._of_token(rules, credentials.password)
        except InvalidToken:
            caller = None  # rejected below, as a wrong password is
        if caller is None:
            return await self._of_password(rules, credentials, client)
        if caller.proof.source is not Source.EXTERNAL and caller.identity.name != credentials.name:
            raise WrongCredentials(note=f"a token of another user than {credentials.name[:64]!r}")
        return self._judged(caller)

    async def refresh(self, token: str) -> Caller:
        """Return the caller of a refresh token.

        Raises: InvalidToken.
        """
        return self._judged(await self._of_signed(self._rules(), token, TokenKind.REFRESH))

    async def resume(self, token: str) -> Caller:
        """Return the caller of the token of a web session, which `web_sessions` keeps from outliving its end.

        Raises: InvalidToken.
        """
        return self._judged(await self._of_signed(self._rules(), token, TokenKind.WEB_SESSION))

    def _anonymous(self, rules: AccessRules) -> Caller:
        identity = rules.anonymous
        if identity is None:
            raise Unauthorized
        return Caller(identity, Proof(Source.ANONYMOUS))

    async def _of_password(self, rules: AccessRules, credentials: BasicCredentials, client: str) -> Caller:
        if is_like_token(credentials.password):
            # Not a guess at a password, so it costs no hash: a robot with a revoked token must not slow other logins.
            raise WrongCredentials(note="an unknown or revoked token in the place of a password")
        user = rules.users.get(credentials.name)
        stored = user.password_hash if user else None
        if not await self._passwords.verify(credentials, stored, cost=rules.password_cost, client=client):
            raise WrongCredentials(note=f"wrong password or unknown user {credentials.name[:64]!r}")
        proof = Proof(Source.PASSWORD, (user.fingerprint if user else None) or "")
        return Caller(_identity(rules, credentials.name), proof)

    async def _of_token(self, rules: AccessRules, text: str) -> Caller | None:
        """Return the caller of a token; `None` for an unknown or revoked one, and for text in the form of none."""
        hashed = token_hash(text)
        if hashed in rules.tokens:
            return _static(rules, Proof(Source.STATIC_TOKEN, hashed.hex()))
        if text.startswith(ISSUED_PREFIX):
            row = await self._tokens.find(text)
            return None if row is None else await self._issued(rules, row)
        if text.count(".") != _JWT_DOTS:
            return None
        try:
            return await self._of_signed(rules, text, TokenKind.ACCESS)
        except InvalidToken:
            if not rules.issuers:
                raise
        return await self._of_external(rules, text)

    async def _of_signed(self, rules: AccessRules, token: str, kind: TokenKind) -> Caller:
        try:
            claims = self._signer.verify(token, kind)
            limit = parse_exact_limit(claims.scopes) if kind is TokenKind.ACCESS else None
        except (SignedTokenInvalid, GrantInvalid) as error:
            raise InvalidToken(note=str(error)) from error
        if claims.proof.source is Source.EXTERNAL:
            proved = await self._of_external(rules, claims.proof.reference)
        else:
            proved = await self._prove(rules, claims.proof, claims.subject)
        if proved.identity.name != claims.subject:
            raise InvalidToken(note="the proof is now that of another user than the token's")
        limits = proved.limits if limit is None else (*proved.limits, limit)
        expires = min(claims.expires, proved.expires or claims.expires)
        return replace(proved, limits=limits, expires=expires, derived=kind is TokenKind.ACCESS, public=rules.anonymous)

    async def _prove(self, rules: AccessRules, proof: Proof, subject: str) -> Caller:
        """Return the caller that a proof of `subject` gives under these rules.

        Raises: InvalidToken.
        """
        match proof.source:
            case Source.ANONYMOUS:
                return self._anonymous(rules)
            case Source.PASSWORD:
                return _by_password(rules, proof, subject)
            case Source.STATIC_TOKEN:
                return _static(rules, proof)
            case Source.ISSUED_TOKEN:
                row = await self._tokens.get(proof.reference)
                if row is None:
                    raise InvalidToken(note="the token that it was derived from was revoked")
                return await self._issued(rules, row)
            case _:
                raise InvalidToken(note="a token derived from an unexpected proof")

    async def _issued(self, rules: AccessRules, row: TokenRow) -> Caller:
        if row.fingerprint is not None and not rules.keeps_password(row.owner, row.fingerprint):
            raise InvalidToken(note=f"the password of {row.owner[:64]!r}, which made it, was changed or removed")
        try:
            limit = await self._issued_limits.find(row)
        except GrantInvalid as error:
            raise InvalidToken(note=f"the scopes of token {row.token_id}: {error}") from error
        limits = () if limit is None else (limit,)
        proof, identity = Proof(Source.ISSUED_TOKEN, row.token_id), _identity(rules, row.owner)
        return Caller(identity, proof, limits, row.expires, public=rules.anonymous, credential=row.token_id)

    async def _of_external(self, rules: AccessRules, token: str) -> Caller:
        verified = await self._external.verify(token, rules.issuers)
        try:
            identity = rules.identity_of_claims(verified.issuer, verified.claims)
        except ClaimsInvalid as error:
            raise InvalidToken(note=str(error)) from error
        proof, name = Proof(Source.EXTERNAL, token), verified.issuer.name
        return Caller(identity, proof, expires=verified.expires + LEEWAY, credential=name)

    def _judged(self, caller: Caller) -> Caller:
        now = self._clock.now()
        if caller.expires is None or now < caller.expires:
            return caller
        if caller.expires + EXPIRED_KEPT <= now:
            raise ExpiredToken(note="it expired more than a day ago")
        return replace(caller, expired=True)


def _identity(rules: AccessRules, name: str) -> Identity:
    identity = rules.identity(name)
    if identity is None:
        raise InvalidToken(note=f"the user {name[:64]!r} does not exist any more")
    return identity


def _by_password(rules: AccessRules, proof: Proof, subject: str) -> Caller:
    user = rules.users.get(subject)
    if user is None or user.fingerprint != proof.reference:
        raise InvalidToken(note=f"the password of {subject[:64]!r} was changed or removed")
    return Caller(_identity(rules, subject), proof)


def _static(rules: AccessRules, proof: Proof) -> Caller:
    try:
        token = rules.tokens.get(bytes.fromhex(proof.reference))
    except ValueError:
        token = None
    if token is None:
        raise InvalidToken(note="the token that it was derived from is not configured any more")
    limits = () if token.limit is None else (token.limit,)
    identity = _identity(rules, token.username)
    return Caller(identity, proof, limits, token.expires_at, public=rules.anonymous, credential=token.name)
