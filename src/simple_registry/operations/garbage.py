"""Giving room back: upload sessions nobody continues, content that no repository holds, tokens long expired.

Content is removed only when no repository has held it for the grace period, which outlives every read that began
while it was held. `GarbageRows.forget` asks once more under the lock that every push takes to write its row. Setting
the machine's clock makes nothing older (`ageing`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from simple_registry.operations.ageing import LATER, Ageing
from simple_registry.operations.tokens import EXPIRED_KEPT
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.protocols import ContentStore, GarbageRows, TokenRows

BATCH = 500
"""Contents looked at in one round; the next round takes the next ones."""

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
        content: ContentStore,
        uploads: Uploads,
        *,
        ageing: Ageing,
        grace: float,
        session_life: float,
        is_user: Callable[[str], bool],
        known: Callable[[str], bool],
    ) -> None:
        """Remove content unheld for `grace` seconds, sessions untouched for `session_life` seconds, and old tokens.

        `is_user` is whether there is a user of a name at the moment; `known`, whether an identity can have that name.
        Sessions of others go after `grace` seconds, too.
        """
        self._rows = rows
        self._tokens = tokens
        self._content = content
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
        contents = 0
        for digest in await self._rows.page_unheld(before, BATCH):
            remove = partial(self._content.remove, digest)
            contents += await self._rows.forget(digest, before=before, remove=remove)
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
