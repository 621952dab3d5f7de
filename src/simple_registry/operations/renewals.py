"""The grace of unneeded holdings, renewed when a client asks for them."""

from collections.abc import Awaitable, Callable, Hashable
from functools import partial

from simple_registry.clock import Clock
from simple_registry.operations.side_writes import SideWrites
from simple_registry.storage.life import HoldingEvent, HoldingState
from simple_registry.storage.records import Holding

RENEWAL_INTERVAL = 60
"""Seconds before the grace of a holding is renewed again, because each renewal is a write.

With a short grace it is a quarter of that, or a client could not renew it in time.
"""


class Renewals:
    """The renewals under way in this process."""

    def __init__(self, clock: Clock, grace: float = float("inf")) -> None:
        self._clock = clock
        self._interval = min(RENEWAL_INTERVAL, grace / 4)
        self._writes = SideWrites()

    async def renew(
        self,
        key: Hashable,
        holding: Holding,
        *,
        may_push: Callable[[], bool],
        write: Callable[[HoldingEvent], Awaitable[object]],
    ) -> bool:
        """Renew the grace of an unneeded holding for a HEAD, by which clients decide what to push.

        A client that may push relies on the answer, so it gets another grace each time; one that may not, only once.
        Return whether that was tried: then the holding may have ended before.
        """
        if holding.state is not HoldingState.UNNEEDED:
            return False
        event = HoldingEvent.ASKED if may_push() else HoldingEvent.SEEN
        if not self._is_due(event, holding):
            return False
        # The answer is true without the renewal: a disk that is full, read-only, failing or busy serves content.
        await self._writes.write((key, event), partial(write, event))
        return True

    def _is_due(self, event: HoldingEvent, holding: Holding) -> bool:
        if event is HoldingEvent.SEEN:
            return not holding.extended
        return abs(self._clock.now() - holding.since) >= self._interval
