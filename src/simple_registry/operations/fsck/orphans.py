"""Orphans for `fsck`: bytes at a place that no row names, which only take space.

A push places content before it writes the row, so only content that is older than a push takes is an orphan. A repair
condemns it: from then on a push of it is not acknowledged before the removal is finished. Whole bytes are left to the
collector; other bytes, and anything that is not a file, are moved to the quarantine if there is one. A second copy of
content that is whole at another place is removed.
"""

from dataclasses import replace

from simple_registry.clock import Clock
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.storage.inspection import ContentRow, ContentUnreadable, Flaw, Inspection, Stored
from simple_registry.storage.life import ContentState

YOUNG = 60.0
"""Seconds that a push may take from placing content to its row."""


class OrphanCheck:
    """Reports content without a row."""

    def __init__(self, inspection: Inspection, clock: Clock, mode: Mode, progress: Progress) -> None:
        self._rows = inspection.rows
        self._contents = inspection.contents
        self._tree = inspection.tree
        self._content = inspection.content
        self._garbage = inspection.stores.garbage
        self._clock = clock
        self._mode = mode
        self._progress = progress

    def is_old(self, changed: float) -> bool:
        """Return whether content changed at this time is too old for a push that has yet to write its row."""
        return abs(self._clock.now() - changed) >= YOUNG

    async def check(self, stored: Stored) -> Finding | None:
        """Return the finding for content that had no row a moment ago."""
        if not self.is_old(stored.changed):
            return None
        whole = await self._is_whole(stored)
        row = await self._rows.find_content(stored.digest)
        uses = await self._rows.uses(stored.digest, 1)
        # Held content without a row is a defect of rows. The row is read first, because a collector removes it last.
        unused = not uses.repositories if row is None else _is_whole_elsewhere(row, stored)
        if not unused or await self._contents.find(stored.digest, stored.place) != stored:
            return None
        lacking = uses.part and row is None
        finding = Finding(
            kind=Kind.ORPHAN,
            to_do=Remedy.PUSH_TO_REPOSITORY if lacking else Remedy.REPAIR,
            digest=str(stored.digest),
            path=self._contents.path(stored.digest),
            size=stored.size,
            whole=whole,
        )
        return await self._repaired(stored, finding) if self._mode.repair and not lacking else finding

    async def _is_whole(self, stored: Stored) -> bool | None:
        """Return whether the bytes hash to their digest; `None` when they are not read."""
        if stored.flaw is Flaw.NOT_A_FILE:
            return False
        if not (self._mode.deep or self._mode.repair):
            return None
        try:
            return await self._contents.hash(stored, self._progress.read) == stored.digest
        except ContentUnreadable:
            return False

    async def _repaired(self, stored: Stored, finding: Finding) -> Finding | None:
        """Condemn content. Return the finding with what was done, or `None` if the content has a row by now."""
        record = stored.record
        async with self._garbage.collecting():
            row = await self._rows.find_content(stored.digest)
            if row is not None and _is_whole_elsewhere(row, stored):
                await self._content.remove(record)
                return replace(finding, done=Repair.DISCARDED, to_do=Remedy.NOTHING)
            if not await self._rows.condemn(record):
                return None
            if finding.whole or self._tree is None:
                return replace(finding, done=Repair.CONDEMNED, to_do=Remedy.NOTHING)
            # A push may have replaced it just now. That push is not acknowledged, and places its bytes again.
            moved = await self._tree.set_aside(self._contents.path(stored.digest), str(stored.digest))
            await self._garbage.forget([record])
            return replace(finding, done=Repair.MOVED, to_do=Remedy.NOTHING, moved_to=moved)


def _is_whole_elsewhere(row: ContentRow, stored: Stored) -> bool:
    """Return whether content is whole at another place, so that its row will never name this one."""
    return row.state is ContentState.WHOLE and row.record.place != stored.place
