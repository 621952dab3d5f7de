"""Garbage collection: of abandoned upload sessions, unneeded and deleted content, and old tokens.

    holdings whose grace has passed end ─► content without holdings is condemned       one transaction
    condemned content                   ─► its bytes are removed ─► its row is removed

The grace is longer than any read that began while the content was held. One collector works at a time; the next one
finishes what a dead one left condemned. A jump of the machine's clock does not age anything (`cutoffs`).
"""

from collections.abc import Callable
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.collection import EARLIEST, Collection, Swept
from simple_registry.operations.cutoffs import MAX_SKEW, Cutoffs
from simple_registry.operations.issued_tokens import EXPIRED_KEPT
from simple_registry.operations.uploads import Uploads
from simple_registry.storage.protocols.collection import CollectionRows, GarbageRows
from simple_registry.storage.protocols.tokens import EndedWebSessionRows, TokenRows
from simple_registry.storage.records import Origin, ReviewRules

UNKNOWN_KEPT = 24 * 3600
"""Seconds for which tokens outlive the removal of their user."""

UNKNOWN_SESSION_LIFE = 3600
"""Seconds for which a session of an identity that is unknown by now may be idle."""


@dataclass(frozen=True, slots=True)
class Collected:
    """The numbers of sessions and tokens that one round removed, and what its collection did."""

    sessions: int
    tokens: int
    swept: Swept

    @property
    def contents(self) -> int:
        """The number of contents that were removed."""
        return self.swept.removed.count


@dataclass(frozen=True, slots=True)
class Untagged:
    """Which manifests without a tag are collected: `older_than` seconds after their push, unless `excepted`."""

    older_than: float = 0.0
    excepted: Callable[[RepositoryName], bool] = lambda _repository: False


class Garbage:
    """The collector. It may run beside any other operation, in any process."""

    def __init__(
        self,
        rows: GarbageRows,
        collections: CollectionRows,
        tokens: TokenRows,
        collection: Collection,
        uploads: Uploads,
        *,
        web_sessions: EndedWebSessionRows,
        clock: Clock,
        grace: float,
        untagged: Untagged | None,
        session_life: float,
        is_user: Callable[[str], bool],
        known: Callable[[str], bool],
    ) -> None:
        """Collect what was deleted or unneeded `grace` seconds ago, idle sessions after `session_life`, and old tokens.

        Manifests without a tag are kept unless `untagged` says which are not.
        `is_user` returns whether a user of that name exists now; `known`, whether an identity can have that name.
        """
        self._rows = rows
        self._collections = collections
        self._tokens = tokens
        self._web_sessions = web_sessions
        self._collection = collection
        self._uploads = uploads
        self._clock = clock
        self._cutoffs = Cutoffs(clock)
        self._grace = grace
        self._untagged = untagged
        self._session_life = session_life
        self._is_user = is_user
        self._known = known

    async def collect(self) -> Collected:
        """Run one round."""
        future = self._cutoffs.future()
        if await self._rows.is_dated_after(future):
            await self._rows.reset_times(future, to=future - MAX_SKEW)
        sessions = await self._uploads.expire(
            self._cutoffs.before(self._session_life),
            known=self._known,
            unknown_before=self._cutoffs.before(UNKNOWN_SESSION_LIFE),
        )
        tokens = await self._tokens.remove_expired_tokens(self._cutoffs.before(EXPIRED_KEPT))
        tokens += await self._remove_tokens_of_unknown_users(future)
        await self._web_sessions.forget_web_sessions(self._cutoffs.before(MAX_SKEW))
        swept = await self._sweep()
        return Collected(sessions, tokens, swept)

    async def _sweep(self) -> Swept:
        """Collect, and keep what was done, unless the time of the day allows nothing."""
        swept, started = Swept(), self._clock.now()
        early = self._cutoffs.before(min(self._grace, EARLIEST))
        complete = await self._collection.run(self._cutoffs.before(self._grace), self._rules(), swept, early=early)
        if complete or swept != Swept():
            row = swept.row(Origin.SCHEDULE, started, self._clock.now(), complete=complete)
            await self._collections.keep_collection(row)
        return swept

    def _rules(self) -> ReviewRules | None:
        """Return what keeps manifests without a tag; `None` if all are kept."""
        if self._untagged is None:
            return None
        return ReviewRules(self._cutoffs.before(self._untagged.older_than), self._untagged.excepted)

    async def _remove_tokens_of_unknown_users(self, future: float) -> int:
        """Remove the tokens of users that have been absent for a day, so that a later user cannot inherit them.

        The day allows for documents that were removed by mistake. A mark after `future` was made by a wrong clock.
        """
        removed = 0
        for owner, since in (await self._tokens.token_owners()).items():
            if self._is_user(owner):
                if since is not None:
                    await self._tokens.mark_owner(owner, None)
            elif since is None or since > future:
                await self._tokens.mark_owner(owner, future - MAX_SKEW)
            elif since < self._cutoffs.before(UNKNOWN_KEPT):
                removed += len(await self._tokens.remove_tokens_of(owner))
        return removed
