"""Checks whether rows and content match and bytes hash to their digests, and repairs what can be repaired.

    database ──► rows ──► uploads ──► content and orphans ──► strays

It can run alongside a busy server: every suspicion is checked again, while no collector runs, before it is reported. A
repair destroys nothing that may be needed: damaged content is marked, so that the next push heals it; content without
holdings is left to the collector, and other files are moved to the quarantine. Every repair is a transaction that
checks its reason again, so `fsck` can be interrupted at any moment and run again.
"""

from collections.abc import AsyncIterator

from simple_registry.clock import Clock
from simple_registry.operations.fsck.contents import ContentCheck, prefixes
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair, Summary
from simple_registry.operations.fsck.orphans import OrphanCheck
from simple_registry.operations.fsck.rows import RowCheck
from simple_registry.operations.fsck.uploads import UploadCheck
from simple_registry.operations.manifests import Required
from simple_registry.storage.inspection import Inspection


class Fsck:
    """One check of a store."""

    def __init__(self, inspection: Inspection, *, clock: Clock, required: Required, mode: Mode) -> None:
        self._rows = inspection.rows
        self._contents = inspection.contents
        self._tree = inspection.tree
        self._mode = mode
        self.progress = Progress()
        self.summary = Summary()
        self._orphans = OrphanCheck(inspection, clock, mode, self.progress)
        self._steps = {
            "rows": RowCheck(inspection, required, mode, self.progress).run,
            "uploads": UploadCheck(inspection, clock, mode).run,
            "content": ContentCheck(inspection, mode, self.progress, self._orphans).run,
            "strays": self._strays,
        }

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings as they are found.

        Raises: StorageFault when the stores cannot be inspected.
        """
        self._contents.check()
        async for finding in self._findings():
            self.summary.count(finding)
            yield finding

    async def _findings(self) -> AsyncIterator[Finding]:
        self.progress.step = "database"
        reasons = await self._rows.check_database(thorough=self._mode.deep)
        if reasons or await self._is_emptied():
            yield broken_database("; ".join(reasons) or "it has no rows of content, but there is content beside it")
            return  # nothing else in it can be relied on, and repairs based on it would do harm
        self.progress.contents, self.progress.bytes = await self._rows.totals()
        for name, step in self._steps.items():
            self.progress.step = name
            async for finding in step():
                yield finding

    async def _is_emptied(self) -> bool:
        """Return whether the database is empty although pushed content exists beside it."""
        if not await self._rows.is_empty():
            return False
        for prefix in prefixes():
            if any(self._orphans.is_old(stored.changed) for stored in await self._contents.listing(prefix)):
                return await self._rows.is_empty()  # again: a first push may have arrived meanwhile
        return False

    async def _strays(self) -> AsyncIterator[Finding]:
        """Yield the strays in the trees of content and uploads."""
        if self._tree is None:
            return
        for path, changed in await self._tree.strays():
            if not self._orphans.is_old(changed):
                continue
            moved = await self._tree.set_aside(path, path.rpartition("/")[2]) if self._mode.repair else None
            yield Finding(
                kind=Kind.STRAY,
                done=Repair.MOVED if moved else Repair.NOTHING,
                to_do=Remedy.NOTHING if moved else Remedy.REPAIR,
                path=path,
                moved_to=moved,
            )


def broken_database(reason: str) -> Finding:
    """Return the finding for an unusable database."""
    return Finding(kind=Kind.DATABASE, to_do=Remedy.RESTORE, path="registry.db", reason=reason)
