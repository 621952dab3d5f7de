"""Issued tokens: created, found, listed, revoked.

A token has a public id, and a secret that is shown once and stored as a hash. The lookup by hash takes the same time
for any wrong secret. Revocation takes effect at once in every process, because each use reads the row. An expired token
keeps its row for a day, so that an upload started with it can finish.
"""

import asyncio
import logging
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.faults import StorageFault
from simple_registry.oci.errors import Denied, NotFound, RegistryError
from simple_registry.storage.protocols.tokens import TokenRows
from simple_registry.storage.records import TokenRow
from simple_registry.times import format_moment

__all__ = [
    "TokenPage",
    "TokenRequestInvalid",
    "TokenRow",
    "TokenUnknown",
    "Tokens",
    "TooManyTokens",
    "check_scopes",
    "new_token_id",
    "token_document",
]

logger = logging.getLogger("simple_registry")

EXPIRED_KEPT = 24 * 3600
"""Seconds before the collector removes the row of an expired token."""

MAX_PER_OWNER = 1000
MAX_DESCRIPTION = 200
MAX_SCOPE = 500
MAX_SCOPES = 100
MAX_PAGE = 100
"""Tokens on one page. The scopes of each may have 50 KB."""
TOUCH_INTERVAL = 60
"""Seconds between two writes of a token's last use."""

_LATEST = 253_402_300_799  # the end of the year 9999, the last that RFC 3339 can express
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class TokenUnknown(NotFound):
    """code-13: no token has this id, or none that the caller may see."""

    message = "token unknown to registry"


class TokenRequestInvalid(RegistryError):
    """code-13: a token cannot be created with these properties."""

    code = "UNSUPPORTED"
    message = "the token cannot be created like this"
    status = 400


class TooManyTokens(Denied):
    """code-12: the owner has the maximum number of tokens; one must be revoked first."""

    message = "too many tokens: revoke one first"


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Part of a listing of tokens, and whether more tokens follow."""

    rows: Sequence[TokenRow]
    more: bool


def new_token_id(now: float) -> str:
    """Return a new id. Ids sort by the time of their creation."""
    return f"{int(now * 1000):011x}{secrets.token_hex(5)}"


class Tokens:
    """The operations on issued tokens."""

    def __init__(
        self,
        rows: TokenRows,
        clock: Clock,
        *,
        new_secret: Callable[[], str],
        hash_secret: Callable[[str], bytes],
        new_id: Callable[[float], str] = new_token_id,
    ) -> None:
        """Work on these rows; `hash_secret` is applied to the secrets that `new_secret` returns."""
        self._rows = rows
        self._clock = clock
        self._new_secret = new_secret
        self._hash_secret = hash_secret
        self._new_id = new_id
        self._touched: dict[str, float] = {}
        self._touching: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Return the current time, by which tokens expire."""
        return self._clock.now()

    async def create(
        self,
        owner: str,
        description: str,
        *,
        expires: float | None,
        scopes: Sequence[str] | None,
        fingerprint: str | None = None,
    ) -> tuple[TokenRow, str]:
        """Return a new token and its secret, which cannot be recovered later.

        The caller has parsed `scopes`. The token is valid only as long as the password with this `fingerprint`.

        Raises: TokenRequestInvalid, TooManyTokens.
        """
        now = self._clock.now()
        _check(description, expires, scopes, now)
        secret = self._new_secret()
        row = TokenRow(
            token_id=self._new_id(now),
            secret_hash=self._hash_secret(secret),
            owner=owner,
            description=description,
            created=now,
            expires=expires,
            scopes=None if scopes is None else tuple(scopes),
            fingerprint=fingerprint,
        )
        if not await self._rows.add_token(row, limit=MAX_PER_OWNER):
            raise TooManyTokens(limit=MAX_PER_OWNER)
        return row, secret

    async def find(self, secret: str) -> TokenRow | None:
        """Return the token with this secret, which may have expired, and record its use in the background."""
        row = await self._rows.find_token(self._hash_secret(secret))
        if row is not None:
            self._touch(row)
        return row

    async def get(self, token_id: str) -> TokenRow | None:
        """Return the token with this id, which may have expired."""
        return await self._rows.find_token_by_id(token_id)

    async def page(self, owner: str | None, *, last: str | None, limit: int) -> TokenPage:
        """Return up to `limit` (and `MAX_PAGE`) tokens of an owner, or of all, oldest first, after the id `last`."""
        if limit == 0:
            return TokenPage((), more=False)
        limit = min(limit, MAX_PAGE)
        rows = await self._rows.page_tokens(owner, last, limit + 1)
        return TokenPage(rows[:limit], more=len(rows) > limit)

    async def revoke(self, token_id: str, owner: str | None) -> TokenRow:
        """Revoke a token of this owner, or of any. Return the token.

        Raises: TokenUnknown, also for a token of another owner.
        """
        row = await self._rows.find_token_by_id(token_id)
        if row is None or owner not in (None, row.owner) or not await self._rows.remove_token(token_id):
            raise TokenUnknown(token=token_id[:64])
        return row

    async def revoke_all(self, owner: str) -> Sequence[TokenRow]:
        """Revoke all tokens of an owner. Return the tokens."""
        return await self._rows.remove_tokens_of(owner)

    async def finish_touches(self) -> None:
        """Wait until every use is recorded. Called when the registry stops."""
        await asyncio.gather(*self._touching)

    def _touch(self, row: TokenRow) -> None:
        """Record a use in the background, so that the request does not wait; at most once a minute."""
        now = self._clock.now()
        if now - max(row.last_used or 0, self._touched.get(row.token_id, 0)) < TOUCH_INTERVAL:
            return
        if len(self._touched) > MAX_PER_OWNER:
            self._touched.clear()  # only saves writes: the rows have the times
        self._touched[row.token_id] = now
        task = asyncio.get_running_loop().create_task(self._record_use(row.token_id, now))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    async def _record_use(self, token_id: str, when: float) -> None:
        try:
            await self._rows.touch_token(token_id, when)
        except StorageFault as fault:
            logger.warning("the last use of token %s was not recorded: %s", token_id, fault)


def token_document(row: TokenRow) -> dict[str, object]:
    """Return a token as JSON has it, without its hash."""
    return {
        "id": row.token_id,
        "owner": row.owner,
        "description": row.description,
        "created": format_moment(row.created),
        "expires": None if row.expires is None else format_moment(row.expires),
        "scopes": row.scopes,
        "lastUsed": None if row.last_used is None else format_moment(row.last_used),
    }


def _check(description: str, expires: float | None, scopes: Sequence[str] | None, now: float) -> None:
    if len(description) > MAX_DESCRIPTION or _CONTROL.search(description):
        raise TokenRequestInvalid(description=f"at most {MAX_DESCRIPTION} characters, on one line")
    if expires is not None and not now < expires <= _LATEST:
        raise TokenRequestInvalid(expires="must lie in the future")
    check_scopes(scopes or ())


def check_scopes(scopes: Sequence[str]) -> None:
    """Require a permitted number and length of scopes, before they are parsed.

    Raises: TokenRequestInvalid.
    """
    if len(scopes) > MAX_SCOPES or any(len(scope) > MAX_SCOPE for scope in scopes):
        raise TokenRequestInvalid(scopes=f"at most {MAX_SCOPES}, of at most {MAX_SCOPE} characters each")
