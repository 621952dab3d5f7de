"""One collection: of manifests that nothing keeps, of holdings whose grace is over, of bytes that nothing holds.

    reviews ─► holdings end, content without holdings is condemned ─► bytes are removed       a batch at a time

Between two batches no lock is held, and the pace is kept. When free space is short, the oldest holdings end before
their grace is over: a few at a time, and only after the bytes of those before them were removed, and made space.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from simple_registry.operations.contents import Contents
from simple_registry.storage.protocols.collection import GarbageRows, ReviewRows
from simple_registry.storage.records import CollectionRow, HoldingsEnded, Origin, ReviewRules, Space, Waiting
from simple_registry.times import format_moment

BATCH = 500
"""Reviews, holdings and contents of one batch."""

EARLY = 20
"""Holdings that end at once while free space is short: hardly more than needed."""

EARLIEST = 3600.0
"""Seconds that a holding waits at least, however short space is: a push under way relies on it."""

logger = logging.getLogger("simple_registry")


@dataclass(slots=True)
class Swept:
    """The manifests that became unneeded, holdings that ended (`early`: before their time), and contents removed."""

    unneeded: int = 0
    manifests: int = 0
    blobs: int = 0
    early: int = 0
    removed: Space = field(default_factory=Space)

    def row(self, origin: Origin, started: float, ended: float, *, complete: bool) -> CollectionRow:
        """Return the row of a collection that did this."""
        done = (self.unneeded, self.manifests, self.blobs, self.early, self.removed)
        return CollectionRow(origin, started, ended, complete, *done)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a collection may be: contents and bytes a second, 0 for no limit; and whether it may go on at all.

    No pause is longer than `longest_pause` seconds.
    """

    files: float = 0.0
    size: float = 0.0
    allowed: Callable[[], bool] = lambda: True
    longest_pause: float = float("inf")

    @property
    def batch(self) -> int:
        """The contents to remove at once: no more than those of a second."""
        return max(1, min(BATCH, int(self.files))) if self.files else BATCH

    def pause(self, removed: Space) -> float:
        """Return the seconds that removals should have taken."""
        due = max(removed.count / self.files if self.files else 0.0, removed.size / self.size if self.size else 0.0)
        return min(due, self.longest_pause)


@dataclass(frozen=True, slots=True)
class Report:
    """What a collection did, or would do, whether it came to its end, and what waits after it, for `grace` seconds."""

    swept: Swept
    waiting: Waiting
    grace: float
    dry_run: bool
    complete: bool = True

    @property
    def restorable_until(self) -> float | None:
        """When the last deletion can be undone no longer; `None` if there is none."""
        return restorable_until(self.waiting, self.grace)

    def described(self) -> dict[str, object]:
        """Return the report as values of JSON."""
        return {
            "dryRun": self.dry_run,
            "complete": self.complete,
            **described_work(self.swept),
            **described_waiting(self.waiting, self.grace),
        }


def restorable_until(waiting: Waiting, grace: float) -> float | None:
    """Return when the last deletion can be undone no longer; `None` if there is none."""
    return waiting.last_deleted + grace if waiting.deleted.count else None


def described_work(done: Swept | CollectionRow) -> Mapping[str, object]:
    """Return what a collection did, as values of JSON."""
    return {
        "unneeded": done.unneeded,
        "ended": {"manifests": done.manifests, "blobs": done.blobs, "early": done.early},
        "removed": {"contents": done.removed.count, "bytes": done.removed.size},
    }


def described_waiting(waiting: Waiting, grace: float) -> Mapping[str, object]:
    """Return what waits for the end of its grace, as values of JSON."""
    until = restorable_until(waiting, grace)
    return {
        "waiting": {"holdings": waiting.unneeded.count, "bytes": waiting.unneeded.size},
        "restorable": {
            "holdings": waiting.deleted.count,
            "bytes": waiting.deleted.size,
            "until": None if until is None else format_moment(until),
        },
    }


def described_row(row: CollectionRow) -> Mapping[str, object]:
    """Return a collection that was, as values of JSON."""
    return {
        "origin": row.origin,
        "started": format_moment(row.started),
        "finished": format_moment(row.ended),
        "complete": row.complete,
        **described_work(row),
    }


class Collection:
    """Collections. Several may run, in any processes: each batch has the right to collect alone."""

    def __init__(
        self,
        rows: GarbageRows,
        reviews: ReviewRows,
        contents: Contents,
        *,
        pace: Pace,
        lacks_space: Callable[[], bool] = lambda: False,
    ) -> None:
        """Collect at a pace; while `lacks_space`, before the grace is over."""
        self._rows = rows
        self._reviews = reviews
        self._contents = contents
        self._pace = pace
        self._lacks_space = lacks_space

    async def run(
        self, before: float, rules: ReviewRules | None, swept: Swept, *, early: float = float("-inf")
    ) -> bool:
        """Collect what was unneeded or deleted before a time, and add to `swept`. Without `rules`, review nothing.

        While space is short, collect the oldest of what was unneeded or deleted before `early`, too.
        Return whether the pace allowed all of it.
        """
        more = rules is not None
        while more and rules is not None and self._pace.allowed():
            reviewed = await self._reviews.review(rules, BATCH)
            swept.unneeded += reviewed.unneeded
            more = reviewed.more
        await self._sweep(before, swept)
        freed = -1
        while self._pace.allowed() and self._lacks_space() and swept.removed.size > freed:
            freed = swept.removed.size
            if await self._end_early(early, swept):
                await self._sweep(before, swept)
        return self._pace.allowed()

    async def rehearse(self, before: float, rules: ReviewRules | None) -> Swept:
        """Return what `run` would do, without regard to free space. Nothing changes."""
        rehearsed = await self._rows.rehearse(before, rules)
        return Swept(rehearsed.unneeded, rehearsed.ended.manifests, rehearsed.ended.blobs, 0, rehearsed.removed)

    async def _sweep(self, before: float, swept: Swept) -> None:
        while self._pace.allowed() and await self._batch(before, swept):
            pass

    async def _end_early(self, before: float, swept: Swept) -> bool:
        """End a few holdings, unless bytes wait for their removal or may not be removed. Return whether any ended."""
        ended = HoldingsEnded(waiting=1)
        while ended.waiting and not ended.total:
            async with self._rows.collecting(), self._rows.removing() as allowed:
                if not allowed or await self._rows.page_condemned(None, 1):
                    return False
                ended = await self._rows.end_holdings(before, EARLY)
        self._add(ended, swept)
        swept.early += ended.total
        if ended.total:
            logger.warning("free space is short: %d holdings ended before their grace was over", ended.total)
        return bool(ended.total)

    @staticmethod
    def _add(ended: HoldingsEnded, swept: Swept) -> None:
        swept.manifests += ended.manifests
        swept.blobs += ended.blobs

    async def _batch(self, before: float, swept: Swept) -> bool:
        """End holdings and remove contents. Return whether there may be more."""
        async with self._rows.collecting():
            ended = await self._rows.end_holdings(before, BATCH)
            removed = await self._contents.remove_condemned(self._pace.batch)
        self._add(ended, swept)
        swept.removed = Space(swept.removed.count + removed.count, swept.removed.size + removed.size)
        await asyncio.sleep(self._pace.pause(removed))
        return bool(ended.total or ended.waiting or self._contents.more_condemned)
