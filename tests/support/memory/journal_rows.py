"""The journal in memory."""

from collections.abc import Sequence
from dataclasses import replace

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import Actor, JournalAction, JournalEvent


class MemoryJournalRows:
    """The events of the journal, the oldest first."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; times come from `clock`."""
        super().__init__()
        self._clock = clock
        self._events: list[JournalEvent] = []
        self._last = 0

    async def page_events(self, after: int, limit: int) -> Sequence[JournalEvent]:
        """Return events of all repositories after an id, the oldest first."""
        return [event for event in self._events if event.id > after][:limit]

    async def page_history(
        self, repository: RepositoryName | None, tag: Tag | None, before: int | None, limit: int
    ) -> Sequence[JournalEvent]:
        """Return events of a repository or of all, or of one tag of it, before an id, the newest first."""
        found = [event for event in self._events if repository in (None, event.repository) and tag in (None, event.tag)]
        return [event for event in reversed(found) if before is None or event.id < before][:limit]

    async def find_event(self, event: int) -> JournalEvent | None:
        """Return an event."""
        return next((each for each in self._events if each.id == event), None)

    async def find_last(self, repository: RepositoryName, tag: Tag, at: float) -> JournalEvent | None:
        """Return the last event of a tag that was not after a time."""
        events = await self.page_history(repository, tag, None, len(self._events))
        return next((event for event in events if event.time <= at), None)

    async def find_first(self, repository: RepositoryName, tag: Tag) -> JournalEvent | None:
        """Return the first event of a tag."""
        events = await self.page_history(repository, tag, None, len(self._events))
        return events[-1] if events else None

    async def begins(self) -> float | None:
        """Return the time before which the journal knows nothing, or `None` if it knows all."""
        return self._events[0].time if self._events and self._events[0].id > 1 else None

    async def prune(self, before: float, *, limit: int, restorable: float, size: int, future: float) -> int:
        """Remove up to `limit` of the oldest events, but never the newest. Return their number."""
        oldest = [replace(event, time=min(event.time, future)) for event in self._events[:limit]]
        self._events[:limit] = oldest
        removed = [
            event
            for event in oldest
            if (event.time < before or (event.time < restorable and event.id <= self._last - size))
            and event.id < self._last
        ]
        self._events = [event for event in self._events if event not in removed]
        return len(removed)

    def record(
        self,
        actor: Actor,
        action: JournalAction,
        repository: RepositoryName,
        *,
        tag: Tag | None = None,
        before: Digest | None = None,
        after: Digest | None = None,
        cause: int | None = None,
    ) -> int:
        """Add an event. Return its id."""
        self._last += 1
        now = round(self._clock.now(), 3)
        self._events.append(JournalEvent(self._last, now, action, repository, tag, before, after, actor, cause))
        return self._last
