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
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Summary
from simple_registry.operations.fsck.orphans import OrphanCheck
from simple_registry.operations.fsck.rows import RowCheck
from simple_registry.operations.fsck.uploads import UploadCheck
from simple_registry.operations.manifests import Required
from simple_registry.storage.inspection import FileStore, RowStore

RESTORE = "stop the server and restore registry.db from a backup; files in blobs/ alone do not tell whose they are"


class Fsck:
    """One check of a store."""

    def __init__(self, rows: RowStore, files: FileStore, *, clock: Clock, required: Required, mode: Mode) -> None:
        """Check these stores; `required` says which parts of a manifest must be there."""
        self._rows = rows
        self._files = files
        self._mode = mode
        self.progress = Progress()
        self.summary = Summary()
        self._orphans = OrphanCheck(rows, files, clock, mode, self.progress)
        self._row_check = RowCheck(rows, files, required, mode, self.progress)
        self._uploads = UploadCheck(rows, files, clock, mode)
        self._contents = ContentCheck(rows, files, mode, self.progress, self._orphans)

    async def run(self) -> AsyncIterator[Finding]:
        """Yield everything that is wrong, as it is found.

        Raises: StorageFault when the stores cannot be looked at.
        """
        self._files.check()
        async for finding in self._steps():
            self.summary.count(finding)
            yield finding

    async def _steps(self) -> AsyncIterator[Finding]:
        self.progress.step = "database"
        said = await self._rows.check_database(thorough=self._mode.deep)
        if said or self._emptied():
            yield broken_database("; ".join(said) or "it knows no repository, but content lies beside it")
            return  # whatever else it says cannot be relied on, and mending by it would do harm
        self.progress.contents, self.progress.bytes = self._rows.totals()
        self.progress.step = "rows"
        async for finding in self._row_check.run():
            yield finding
        self._orphans.needed = self._row_check.needed
        self.progress.step = "uploads"
        async for finding in self._uploads.run():
            yield finding
        self.progress.step = "content"
        async for finding in self._contents.run():
            yield finding
        async for finding in self._orphans.strays():
            yield finding

    def _emptied(self) -> bool:
        """Tell whether a database that knows nothing stands beside content that somebody pushed."""
        if self._rows.has_repositories() or self._rows.totals()[0]:
            return False
        digests = (digest for beginning in beginnings() for digest in self._files.contents(beginning))
        looks = (self._files.look(self._files.place(digest)) for digest in digests)
        return any(look is not None and self._orphans.old(look) for look in looks) and not self._rows.has_repositories()


def broken_database(detail: str) -> Finding:
    """Return the finding that there is no database to check anything by."""
    return Finding(kind=Kind.DATABASE, detail=detail, advice=RESTORE, place="registry.db")
