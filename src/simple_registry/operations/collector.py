"""Collections that an operator asks for, by command or by request, beside those of the server."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.operations.collection import Collection, Report, Swept, described_row, described_waiting
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.operations.garbage import Untagged
from simple_registry.storage.protocols.collection import CollectionRows, GarbageRows
from simple_registry.storage.records import CollectionRow, Origin, ReviewRules, Waiting
from simple_registry.times import Window, format_duration, format_moment


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a collection does otherwise than by the settings: its grace in seconds, and manifests without a tag."""

    grace: float | None = None
    delete_untagged: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """When the server collects by itself, and what: times in seconds, which manifests without a tag, if any."""

    interval: float
    window: Window | None
    grace: float
    delete_untagged: bool
    untagged: Untagged


class Collector:
    """Collects on demand. It may run beside any other operation, in any process."""

    def __init__(
        self,
        rows: GarbageRows,
        collections: CollectionRows,
        collection: Callable[[Callable[[], bool], float], Collection],
        schedule: Schedule,
        clock: Clock,
        *,
        origin: Origin,
    ) -> None:
        """Keep what was done as that of an origin.

        `collection` makes one, of the question whether it may go on, and the seconds of its longest pause.
        """
        self._rows = rows
        self._collections = collections
        self._collection = collection
        self.schedule = schedule
        self._clock = clock
        self._cutoffs = Cutoffs(clock)
        self._origin = origin
        self._rehearsals = asyncio.Lock()

    async def run(self, wanted: Wanted, swept: Swept, *, seconds: float = float("inf")) -> Report:
        """Collect for about these seconds at most, and add to `swept`. What is left is done by the next one.

        Raises: InReadOnlyMode, StorageFault.
        """
        started, ends = self._clock.now(), self._clock.monotonic() + seconds
        collection = self._collection(lambda: self._clock.monotonic() < ends, seconds)
        complete = await collection.run(self._before(wanted), self._rules(wanted), swept)
        await self._collections.keep_collection(swept.row(self._origin, started, self._clock.now(), complete=complete))
        return Report(swept, await self._rows.waiting(), self.schedule.grace, dry_run=False, complete=complete)

    async def rehearse(self, wanted: Wanted) -> Report:
        """Return what `run` would do. Nothing changes. One copy of the database is made at a time.

        Raises: StorageFault.
        """
        async with self._rehearsals:
            collection = self._collection(lambda: True, 0)
            swept = await collection.rehearse(self._before(wanted), self._rules(wanted))
        return Report(swept, await self._rows.waiting(), self.schedule.grace, dry_run=True)

    async def waiting(self) -> Waiting:
        """Return what waits for the end of its grace."""
        return await self._rows.waiting()

    async def last(self) -> Sequence[CollectionRow]:
        """Return the last collection of each origin, the newest first."""
        return await self._collections.last_collections()

    async def described(self) -> Mapping[str, object]:
        """Return the last collections, what waits, and when the server collects next, as values of JSON."""
        schedule, last = self.schedule, await self.last()
        by_itself = next((row.ended for row in last if row.origin is Origin.SCHEDULE), None)
        return {
            "last": [described_row(row) for row in last],
            **described_waiting(await self.waiting(), schedule.grace),
            "grace": format_duration(schedule.grace),
            "deleteUntagged": schedule.delete_untagged,
            "interval": format_duration(schedule.interval),
            "window": None if schedule.window is None else str(schedule.window),
            "next": None if by_itself is None else format_moment(by_itself + schedule.interval),
        }

    def _before(self, wanted: Wanted) -> float:
        grace = self.schedule.grace if wanted.grace is None else wanted.grace
        return self._cutoffs.before(grace) if grace else float("inf")

    def _rules(self, wanted: Wanted) -> ReviewRules | None:
        untagged = self.schedule.untagged
        if not (wanted.delete_untagged or self.schedule.delete_untagged):
            return None
        return ReviewRules(self._cutoffs.before(untagged.older_than), untagged.excepted)
