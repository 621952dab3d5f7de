"""Garbage collection: upload sessions that no client continues, deleted holdings, content without any, old tokens.

    deleted holdings whose grace has passed end ─► content that nothing holds is condemned     one transaction
    condemned content                           ─► its bytes are removed ─► its row is removed

The grace period outlives every read that began while the content was held. One collector works at a time; what a dead
one left condemned is finished by the next. Setting the machine's clock makes nothing older (`ageing`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from simple_registry.operations.ageing import LATER, Ageing
from simple_registry.operations.contents import Contents
from simple_registry.operations.tokens import EXPIRED_KEPT
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.protocols import GarbageRows, TokenRows

BATCH = 500
"""Holdings that one round ends at most, and contents that it removes; the next round takes the next ones."""

UNKNOWN_KEPT = 24 * 3600
"""Seconds for which tokens outlast their user."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What one round removed."""

    sessions: int
    contents: int
    tokens: int = 0


class Garbage:
    """The collector. Safe beside any other operation, in any process."""

    def __init__(
        self,
        rows: GarbageRows,
        tokens: TokenRows,
        contents: Contents,
        uploads: Uploads,
        *,
        ageing: Ageing,
        grace: float,
        session_life: float,
        is_user: Callable[[str], bool],
        known: Callable[[str], bool],
    ) -> None:
        """End what was deleted `grace` seconds ago, sessions untouched for `session_life` seconds, and old tokens.

        `is_user` is whether there is a user of a name at the moment; `known`, whether an identity can have that name.
        Sessions of others go after `grace` seconds, too.
        """
        self._rows = rows
        self._tokens = tokens
        self._contents = contents
        self._uploads = uploads
        self._ageing = ageing
        self._grace = grace
        self._session_life = session_life
        self._is_user = is_user
        self._known = known

    async def collect(self) -> Collected:
        """Do one round."""
        future = self._ageing.future()
        if await self._rows.is_dated_after(future):
            await self._rows.bring_back(future, to=future - LATER)
        before = self._ageing.before(self._grace)
        sessions = await self._uploads.expire(
            self._ageing.before(self._session_life), known=self._known, unknown_before=before
        )
        async with self._rows.collecting():
            await self._rows.end_holdings(before, BATCH)
            contents = await self._contents.remove_condemned(BATCH)
        tokens = await self._tokens.remove_expired_tokens(self._ageing.before(EXPIRED_KEPT))
        tokens += await self._remove_tokens_of_unknown_users(future)
        return Collected(sessions, contents, tokens)

    async def _remove_tokens_of_unknown_users(self, future: float) -> int:
        """Remove tokens of users that are gone for a day: a later user of that name must not inherit them.

        A day, since documents may be lost by mistake, and put back. A mark after `future` is of a clock that was wrong.
        """
        removed = 0
        for owner, since in (await self._tokens.token_owners()).items():
            if self._is_user(owner):
                if since is not None:
                    await self._tokens.mark_owner(owner, None)
            elif since is None or since > future:
                await self._tokens.mark_owner(owner, future - LATER)
            elif since < self._ageing.before(UNKNOWN_KEPT):
                removed += len(await self._tokens.remove_tokens_of(owner))
        return removed
