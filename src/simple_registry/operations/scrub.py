"""Scrubbing: a background reader that compares bytes with their digests, those verified longest ago first.

It finds what no read notices: bytes that changed while the stamp of their file did not, as on a failing disk. Damaged
content is marked, so that clients push it again, and keeps a name in the quarantine. Reads come from the disk and leave
the caches of the kernel as they were (`ContentInspection.hash`).
"""

import asyncio
import logging
import os
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress

from simple_registry.clock import Clock
from simple_registry.faults import StorageFault, StorageReadOnly
from simple_registry.operations.fsck.contents import ContentCheck
from simple_registry.operations.fsck.findings import Finding, Mode, Progress, Repair
from simple_registry.operations.fsck.orphans import OrphanCheck
from simple_registry.operations.read_only import ReadOnly
from simple_registry.periodic import repeat
from simple_registry.storage.inspection import ContentRow, Inspection, Stored
from simple_registry.storage.records import ContentRecord

INTERVAL = 600.0
"""Seconds between two searches for content that is due."""

PAGE = 32
"""Contents whose rows are read, and written, at once: each write makes all processes read rows again."""

WRITE_INTERVAL = 60.0
"""Seconds after which the rows of verified contents are written, however few they are."""

LEAST = 256 * 1024
"""Bytes that each content counts at least: a small file costs a seek and some work, too."""

LOWEST_PRIORITY = 19

logger = logging.getLogger("simple_registry")

OpenInspection = Callable[[], AbstractAsyncContextManager[Inspection]]
"""Opens the stores that are scrubbed, for the time of a block."""


class Pace:
    """Bounds the rate of a thread that reads, and stops it."""

    def __init__(self, rate: int) -> None:
        """Allow `rate` bytes a second."""
        self._rate = rate
        self._stopped = threading.Event()

    def read(self, size: int) -> None:
        """Wait after bytes were read. Called in the reading thread.

        Raises: StorageFault once it is stopped.
        """
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)
        if self._stopped.wait(size / self._rate):
            raise StorageFault("read content", "the registry ends")

    async def rest(self) -> None:
        """Wait between two contents."""
        await asyncio.sleep(LEAST / self._rate)

    def stop(self) -> None:
        """End the reading thread at its next read: no task can cancel it."""
        self._stopped.set()


class Scrub:
    """The background reader. One process at a time needs it."""

    def __init__(
        self,
        open_inspection: OpenInspection,
        read_only: ReadOnly,
        clock: Clock,
        *,
        period: float,
        rate: int,
    ) -> None:
        """Read everything once in `period` seconds, at `rate` bytes a second at most."""
        self._open_inspection = open_inspection
        self._read_only = read_only
        self._clock = clock
        self._period = period
        self._pace = Pace(rate)
        self.counts = Counter({"whole": 0, "damaged": 0})
        """Contents that were read so far."""
        self.progress = Progress(self._pace.read)
        """Counts the bytes that were read."""
        self.overdue = 0.0
        """Seconds since the content that is read now was due; 0 if it was never verified."""

    async def run(self) -> None:
        """Scrub until cancelled."""
        rounds = asyncio.ensure_future(repeat(self._open_and_read, min(INTERVAL, self._period), "scrubbing"))
        try:
            await asyncio.shield(rounds)
        finally:
            self._pace.stop()
            rounds.cancel()
            await asyncio.gather(rounds, return_exceptions=True)

    async def _open_and_read(self) -> None:
        async with self._open_inspection() as inspection:
            await self.round(inspection)

    async def round(self, inspection: Inspection) -> None:
        """Read all content that is due."""
        try:
            await self._round(_Check(inspection, self._clock, self.progress))
        except StorageReadOnly as fault:
            logger.warning("scrubbing waits, the storage is read-only: %s", fault)

    async def _round(self, check: "_Check") -> None:
        before = self._clock.now() - self._period
        after: ContentRow | None = None
        damaged = self.counts["damaged"]
        while page := await check.rows.page_unverified(before, after, PAGE):
            await self._read_only.require_off()
            self.overdue = before - page[0].verified if page[0].verified else 0.0
            for row in page:
                self.counts["whole" if await check.run(row) else "damaged"] += 1
                await self._pace.rest()
            await check.write()
            after = page[-1]
        self.overdue = 0.0
        if after is not None:
            fields = {"damaged": self.counts["damaged"] - damaged}
            logger.info("all content that was due was read", extra={"fields": fields})


class _Check:
    """One round: the stores as it sees them, and the contents that were verified and not written yet."""

    def __init__(self, inspection: Inspection, clock: Clock, progress: Progress) -> None:
        mode = Mode(deep=True, repair=True)
        self.rows = inspection.rows
        self._contents = inspection.contents
        self._tree = inspection.tree
        self._mark_verified = inspection.stores.contents.mark_verified
        self._clock = clock
        self._check = ContentCheck(inspection, mode, progress, OrphanCheck(inspection, clock, mode, progress))
        self._verified: dict[ContentRecord, str] = {}
        self._written = clock.monotonic()

    async def run(self, row: ContentRow) -> bool:
        """Read some content. Return whether it is whole, or was replaced meanwhile."""
        stored = await self._contents.find(row.record.digest, row.record.place)
        suspicion = await self._check.suspect(row, stored)
        if suspicion is None and stored is not None:
            self._verified[row.record] = stored.stamp
            if self._clock.monotonic() - self._written >= WRITE_INTERVAL:
                await self.write()
            return True
        finding = await self._check.confirm(row, suspicion)
        if finding is None or finding.done is not Repair.MARKED:
            return True
        await self._report(finding, stored)
        return False

    async def write(self) -> None:
        """Write the rows of verified contents."""
        verified, self._verified, self._written = self._verified, {}, self._clock.monotonic()
        if verified:
            await self._mark_verified(verified)

    async def _report(self, finding: Finding, stored: Stored | None) -> None:
        kept = None if stored is None or self._tree is None else await self._tree.keep_damaged(stored)
        fields = {"kind": finding.kind, "repositories": finding.repositories, "tags": finding.tags, "kept": kept}
        logger.error(
            "content %s is damaged; a push of it, to any repository, heals it", finding.digest, extra={"fields": fields}
        )
