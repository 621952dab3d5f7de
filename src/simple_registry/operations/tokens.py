"""Tokens that the registry issues: created, found, listed, revoked.

A token is an id, which may be shown, and a secret, which is given out once and of which only a hash is kept. Looking
it up by its hash takes the same time whatever is wrong with it. A revoked token is gone at once, for every process,
since each use reads its row. An expired one keeps its row for a day, so that an upload that it began may finish.
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
from simple_registry.storage.protocols import TokenRows
from simple_registry.storage.records import TokenRow

__all__ = [
    "TokenPage",
    "TokenRequestInvalid",
    "TokenRow",
    "TokenUnknown",
    "Tokens",
    "TooManyTokens",
    "check_scopes",
    "new_token_id",
]

logger = logging.getLogger("simple_registry")

EXPIRED_KEPT = 24 * 3600
"""Seconds for which an expired token keeps its row; the collector removes it then."""

PER_OWNER = 1000
LONGEST_DESCRIPTION = 200
LONGEST_SCOPE = 500
MOST_SCOPES = 100
LISTED = 100
"""Tokens on one page: the scopes of each may take 50 KB."""
TOUCH_INTERVAL = 60
"""Seconds between two notes of a token's use."""

_LATEST = 253_402_300_799  # the end of the year 9999, beyond which no date can be written
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class TokenUnknown(NotFound):
    """code-13: no token has this id, or not one that the caller may see."""

    message = "token unknown to registry"


class TokenRequestInvalid(RegistryError):
    """code-13: a token cannot be created as it was asked for."""

    code = "UNSUPPORTED"
    message = "the token cannot be created like this"
    status = 400


class TooManyTokens(Denied):
    """code-12: the owner has as many tokens as anybody may; one must be revoked first."""

    message = "too many tokens: revoke one first"


@dataclass(frozen=True, slots=True)
class TokenPage:
    """Part of a listing of tokens, and whether more follows after its last one."""

    rows: Sequence[TokenRow]
    more: bool


def new_token_id(now: float) -> str:
    """Return a fresh id; ids of later tokens sort after those of earlier ones."""
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
        """Work on these rows; `hash_secret` gives what is kept of the secrets that `new_secret` makes."""
        self._rows = rows
        self._clock = clock
        self._new_secret = new_secret
        self._hash_secret = hash_secret
        self._new_id = new_id
        self._touched: dict[str, float] = {}
        self._touching: set[asyncio.Task[None]] = set()

    def now(self) -> float:
        """Return the time by which tokens expire."""
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
        """Return a new token and its secret, which cannot be had again.

        The caller has seen to it that `scopes` can be parsed. The token ends with the password of this `fingerprint`.

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
        if not await self._rows.add_token(row, limit=PER_OWNER):
            raise TooManyTokens(limit=PER_OWNER)
        return row, secret

    async def find(self, secret: str) -> TokenRow | None:
        """Return the token with this secret, which may have expired, and note in the background that it was used."""
        row = await self._rows.find_token(self._hash_secret(secret))
        if row is not None:
            self._touch(row)
        return row

    async def get(self, token_id: str) -> TokenRow | None:
        """Return the token of this id, which may have expired."""
        return await self._rows.find_token_by_id(token_id)

    async def page(self, owner: str | None, *, last: str | None, limit: int) -> TokenPage:
        """Return up to `limit` tokens (and `LISTED`) of an owner, or of all, oldest first, after the id `last`."""
        if limit == 0:
            return TokenPage((), more=False)
        limit = min(limit, LISTED)
        rows = await self._rows.page_tokens(owner, last, limit + 1)
        return TokenPage(rows[:limit], more=len(rows) > limit)

    async def revoke(self, token_id: str, owner: str | None) -> TokenRow:
        """Make a token of this owner, or of anybody, good for nothing from now on. Returns what it was.

        Raises: TokenUnknown, whether there is none or it belongs to somebody else.
        """
        row = await self._rows.find_token_by_id(token_id)
        if row is None or owner not in (None, row.owner) or not await self._rows.remove_token(token_id):
            raise TokenUnknown(token=token_id[:64])
        return row

    async def revoke_all(self, owner: str) -> Sequence[TokenRow]:
        """Make all tokens of an owner good for nothing from now on. Returns what they were."""
        return await self._rows.remove_tokens_of(owner)

    async def settle(self) -> None:
        """Wait until every use is noted; called when the registry stops."""
        await asyncio.gather(*self._touching)

    def _touch(self, row: TokenRow) -> None:
        """Note a use, at most once a minute, after the request that it belongs to rather than within it."""
        now = self._clock.now()
        if now - max(row.last_used or 0, self._touched.get(row.token_id, 0)) < TOUCH_INTERVAL:
            return
        if len(self._touched) > PER_OWNER:
            self._touched.clear()  # only saves writes; the rows know better
        self._touched[row.token_id] = now
        task = asyncio.get_running_loop().create_task(self._note_use(row.token_id, now))
        self._touching.add(task)
        task.add_done_callback(self._touching.discard)

    async def _note_use(self, token_id: str, when: float) -> None:
        try:
            await self._rows.touch_token(token_id, when)
        except StorageFault as fault:
            logger.warning("the last use of token %s was not noted: %s", token_id, fault)


def _check(description: str, expires: float | None, scopes: Sequence[str] | None, now: float) -> None:
    """Refuse what no token may have.

    Raises: TokenRequestInvalid.
    """
    if len(description) > LONGEST_DESCRIPTION or _CONTROL.search(description):
        raise TokenRequestInvalid(description=f"at most {LONGEST_DESCRIPTION} characters, on one line")
    if expires is not None and not now < expires <= _LATEST:
        raise TokenRequestInvalid(expires="must lie in the future")
    check_scopes(scopes or ())


def check_scopes(scopes: Sequence[str]) -> None:
    """Refuse scopes by number and length, before anything is done with them.

    Raises: TokenRequestInvalid.
    """
    if len(scopes) > MOST_SCOPES or any(len(scope) > LONGEST_SCOPE for scope in scopes):
        raise TokenRequestInvalid(scopes=f"at most {MOST_SCOPES}, of at most {LONGEST_SCOPE} characters each")
