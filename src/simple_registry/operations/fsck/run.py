"""Checking a store: do rows and files fit, do bytes hash to their digests? And mending what can be mended.

    database ──► rows ──► uploads ──► content and orphans ──► strays

It runs beside a server under load: what it finds is looked at again under the lock of all writers before it is said.
Repairing destroys nothing that could be needed: files are moved, not removed; rows of content that is gone stay, since
the next push of it heals them; what nobody holds is left to the collector. Every step is a transaction of its own
that asks again, so it may end at any moment, and be run again.
"""

from collections.abc import AsyncIterator

from simple_registry.clock import Clock
from simple_registry.operations.fsck.contents import ContentCheck, beginnings
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Summary
from simple_registry.operations.fsck.orphans import OrphanCheck, is_old
from simple_registry.operations.fsck.rows import RowCheck
from simple_registry.operations.fsck.uploads import UploadCheck
from simple_registry.operations.manifests import Required
from simple_registry.storage.inspection import FileStore, RowStore


class Fsck:
    """One check of a store."""

    def __init__(self, rows: RowStore, files: FileStore, *, clock: Clock, required: Required, mode: Mode) -> None:
        """Check these stores; `required` says which parts of a manifest must be there."""
        self._rows = rows
        self._files = files
        self._clock = clock
        self._required = required
        self._mode = mode
        self.progress = Progress()
        self.summary = Summary()

    async def run(self) -> AsyncIterator[Finding]:
        """Yield everything that is wrong, as it is found.

        Raises: StorageFault when the stores cannot be looked at.
        """
        self._files.check()
        async for finding in self._steps():
            self.summary.count(finding)
            yield finding

    async def _steps(self) -> AsyncIterator[Finding]:
        rows, files, mode, progress = self._rows, self._files, self._mode, self.progress
        progress.step = "database"
        reasons = await rows.check_database(thorough=mode.deep)
        if reasons or self._emptied():
            yield broken_database("; ".join(reasons) or "it knows no repository, but there is content beside it")
            return  # nothing else that it says can be relied on, and repairs by it would do harm
        progress.contents, progress.bytes = rows.totals()
        progress.step = "rows"
        row_check = RowCheck(rows, files, self._required, mode, progress)
        async for finding in row_check.run():
            yield finding
        progress.step = "uploads"
        async for finding in UploadCheck(rows, files, self._clock, mode).run():
            yield finding
        progress.step = "content"
        orphans = OrphanCheck(rows, files, self._clock, mode, progress, needed=row_check.needed)
        async for finding in ContentCheck(rows, files, mode, progress, orphans).run():
            yield finding
        async for finding in orphans.strays():
            yield finding

    def _emptied(self) -> bool:
        """Return whether the database knows nothing of content beside it that was pushed."""
        if self._rows.has_repositories() or self._rows.totals()[0]:
            return False
        digests = (digest for beginning in beginnings() for digest in self._files.contents(beginning))
        looks = (self._files.look(self._files.place(digest)) for digest in digests)
        now = self._clock.now()
        return any(look is not None and is_old(look, now) for look in looks) and not self._rows.has_repositories()


def broken_database(reason: str) -> Finding:
    """Return the finding that there is no database to check anything by."""
    return Finding(kind=Kind.DATABASE, to_do=Remedy.RESTORE, place="registry.db", reason=reason)
