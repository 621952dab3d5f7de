"""Who is calling: from an `Authorization` header to a caller.

    Basic   name + password        a user's password, or any token below in its place
    Bearer  a static token         of a `Token` document
            an issued token        of the database; revoked is gone
            our signed token       derived from one of these, or from an anonymous call; its proof is asked again
            a trusted issuer's     of a `TokenIssuer` document

Whatever is derived is proved again at every request against the rules of that moment: a removed user, a changed
password, a revoked token and an issuer that is no longer trusted end it at once. An issued token that was made with a
password ends with that password too. An expired credential is marked as such for a day, and refused afterwards;
`dispatch` and the handlers of uploads know the one thing that it is still good for.
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
from simple_registry.operations.tokens import TokenRow, Tokens

MAX_NAME = 255
"""Characters of a name in Basic credentials; longer ones are nobody's."""

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
        """Believe what the current `rules` and the verifiers say."""
        self._rules = rules
        self._passwords = passwords
        self.recent = RecentLogins(clock)
        self._tokens = tokens
        self._issued_limits = IssuedLimits()
        self._signer = signer
        self._external = external
        self._clock = clock

    async def authenticate(self, header: str | None, client: str) -> Caller:
        """Return who sends this header from this address.

        Raises: Unauthorized (InvalidToken for tokens), TooManyRequests.
        """
        rules = self._rules()
        if header is None:
            return self._anonymous(rules)
        known = self.recent.find(header, rules)
        if known is not None:
            return known
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
        """Return whom a name and a password, or a token in its place, prove. Two empty texts are no credentials.

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
            caller = None  # refused below, without saying more
        if caller is None:
            return await self._of_password(rules, credentials, client)
        if caller.proof.source is not Source.EXTERNAL and caller.identity.name != credentials.name:
            raise WrongCredentials(note=f"a token of somebody else than {credentials.name[:64]!r}")
        return self._judged(caller)

    async def refresh(self, token: str) -> Caller:
        """Return whom a refresh token speaks of.

        Raises: InvalidToken.
        """
        return self._judged(await self._of_signed(self._rules(), token, TokenKind.REFRESH))

    def _anonymous(self, rules: AccessRules) -> Caller:
        identity = rules.anonymous
        if identity is None:
            raise Unauthorized
        return Caller(identity, Proof(Source.ANONYMOUS))

    async def _of_password(self, rules: AccessRules, credentials: BasicCredentials, client: str) -> Caller:
        if is_like_token(credentials.password):
            # No guess at a password, so it costs no hash; a robot that goes on sending one harms no one.
            raise WrongCredentials(note="an unknown or revoked token in the place of a password")
        user = rules.users.get(credentials.name)
        stored = user.password_hash if user else None
        if not await self._passwords.verify(credentials, stored, cost=rules.password_cost, client=client):
            raise WrongCredentials(note=f"wrong password or unknown user {credentials.name[:64]!r}")
        proof = Proof(Source.PASSWORD, (user.fingerprint if user else None) or "")
        return Caller(_identity(rules, credentials.name), proof)

    async def _of_token(self, rules: AccessRules, text: str) -> Caller | None:
        """Return whom a token speaks of; `None` when it is none that anybody here could have given out."""
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
            limit = None if kind is TokenKind.REFRESH else parse_exact_limit(claims.scopes)
        except (SignedTokenInvalid, GrantInvalid) as error:
            raise InvalidToken(note=str(error)) from error
        if claims.proof.source is Source.EXTERNAL:
            proved = await self._of_external(rules, claims.proof.reference)
        else:
            proved = await self._prove(rules, claims.proof, claims.subject)
        if proved.identity.name != claims.subject:
            raise InvalidToken(note="the token's user is no longer who proved it")
        limits = proved.limits if limit is None else (*proved.limits, limit)
        expires = min(claims.expires, proved.expires or claims.expires)
        return replace(proved, limits=limits, expires=expires, derived=kind is TokenKind.ACCESS, public=rules.anonymous)

    async def _prove(self, rules: AccessRules, proof: Proof, subject: str) -> Caller:
        """Return whom a proof of `subject` still proves, under the rules of this moment.

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
                    raise InvalidToken(note="the token behind it was revoked")
                return await self._issued(rules, row)
            case _:
                raise InvalidToken(note="an external proof where none belongs")

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
        raise InvalidToken(note="the token behind it is gone from the configuration")
    limits = () if token.limit is None else (token.limit,)
    identity = _identity(rules, token.username)
    return Caller(identity, proof, limits, token.expires_at, public=rules.anonymous, credential=token.name)
