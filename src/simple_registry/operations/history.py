"""What happened: the journal as history of a tag or repository, as a feed, and as the past targets of tags."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import HistoryUnknown
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.storage.protocols.holdings import ManifestRows
from simple_registry.storage.protocols.journal import JournalRows
from simple_registry.storage.records import JournalEvent
from simple_registry.times import format_instant

__all__ = ["EventPage", "History", "JournalEvent", "Pruning", "Visible", "event_document"]

BATCH = 250
"""Events read at a time."""

MAX_EXAMINED = 5000
"""Events that one request reads to find those that its caller may see."""

MAX_PRUNED = 10_000
"""Events that one round of maintenance removes."""

Visible = Callable[[JournalEvent], bool]
"""Whether the caller may see an event."""


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, and the id at which the next page begins; `more` may follow there."""

    events: Sequence[JournalEvent]
    next: int
    more: bool


class History:
    """The operations that read the journal."""

    def __init__(self, journal: JournalRows, manifests: ManifestRows, clock: Clock) -> None:
        self._journal = journal
        self._manifests = manifests
        self._clock = clock

    def now(self) -> float:
        """Return the present time, in seconds since the epoch."""
        return self._clock.now()

    async def page(
        self, repository: RepositoryName | None, tag: Tag | None, *, before: int | None, limit: int, visible: Visible
    ) -> EventPage:
        """Return visible events of a repository or of all, or of one tag of it, before an id, the newest first."""

        async def read(at: int | None, size: int) -> Sequence[JournalEvent]:
            return await self._journal.page_history(repository, tag, at, size)

        found, last, more = await _fill(read, before, limit, visible)
        return EventPage(found, 0 if last is None else last, more)

    async def feed(self, *, after: int, limit: int, visible: Visible) -> EventPage:
        """Return visible events of all repositories after an id, the oldest first.

        `next` is where to continue, whether or not there are more, and even if none of those examined is visible.
        """

        async def read(at: int | None, size: int) -> Sequence[JournalEvent]:
            return await self._journal.page_events(at or 0, size)

        found, last, more = await _fill(read, after, limit, visible)
        return EventPage(found, last or 0, more)

    async def resolve(self, repository: RepositoryName, tag: Tag, at: float) -> Digest | None:
        """Return the manifest that a tag pointed at, at a time; `None` if it did not exist.

        Raises: HistoryUnknown when the journal does not reach back that far.
        """
        event = await self._journal.find_last(repository, tag, at)
        if event is not None:
            return event.after
        begins = await self._journal.begins()
        if begins is not None and at < begins:
            raise HistoryUnknown(tag=tag)
        first = await self._journal.find_first(repository, tag)
        if first is not None:
            return first.before
        # It has not changed since the journal began.
        present = await self._manifests.find_tagged(repository, tag)
        return None if present is None else present.digest


class Pruning:
    """The removal of old events."""

    def __init__(self, journal: JournalRows, cutoffs: Cutoffs, *, keep: float, size: int, grace: float) -> None:
        """Remove events older than `keep` seconds, and all but the newest `size`.

        Those younger than the grace stay: what they deleted can be restored.
        """
        self._journal = journal
        self._cutoffs = cutoffs
        self._keep = keep
        self._size = size
        self._grace = grace

    async def prune(self) -> int:
        """Remove the oldest events. Return their number."""
        restorable = self._cutoffs.before(self._grace)
        before = min(self._cutoffs.before(self._keep), restorable)
        return await self._journal.prune(
            before, limit=MAX_PRUNED, restorable=restorable, size=self._size, future=self._cutoffs.future()
        )


def event_document(event: JournalEvent) -> Mapping[str, object]:
    """Return an event as JSON shows it."""
    return {
        "id": event.id,
        "time": format_instant(event.time),
        "action": event.action.value,
        "repository": event.repository,
        "tag": event.tag,
        "before": None if event.before is None else str(event.before),
        "after": None if event.after is None else str(event.after),
        "identity": event.actor.identity,
        "credential": event.actor.credential or None,
        "request": event.actor.request or None,
        "cause": event.cause,
    }


async def _fill(
    read: Callable[[int | None, int], Awaitable[Sequence[JournalEvent]]],
    at: int | None,
    limit: int,
    visible: Visible,
) -> tuple[Sequence[JournalEvent], int | None, bool]:
    """Return up to `limit` visible events, the id of the last one that was examined, and whether more may follow."""
    found: list[JournalEvent] = []
    for _ in range(MAX_EXAMINED // BATCH):
        events = await read(at, BATCH)
        for event in events:
            if not visible(event):
                at = event.id
            elif len(found) == limit:
                return found, at, True
            else:
                found.append(event)
                at = event.id
        if len(events) < BATCH:
            return found, at, False
        await asyncio.sleep(0)  # other requests get their turn
    return found, at, True
