"""Content for `fsck`: each row against its file.

    look ──► a suspicion ──► look again while nobody writes rows ──► a finding, and with repair its mending
                 ▲                          │
                 └── something changed ─────┘

The collector removes the row before the file, so a file is missing only when its row still stands under the lock. A
push replaces a file by good bytes at any moment; a file is damaged only when it is still the one that was looked at.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from simple_registry.oci.digests import ALGORITHMS, Digest
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.operations.fsck.orphans import OrphanCheck
from simple_registry.storage.inspection import ContentRow, ContentUnreadable, FileStore, Look, RowStore
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import ContentRecord

PAGE = 1000
"""Rows read at once."""

READ_AT_ONCE = 32
"""Contents handed to the reading threads at once; they queue there."""

LISTED = 20
"""Most repositories, and most tags, that a finding names."""

ATTEMPTS = 20
"""How often something may change while it is looked at, before it is left to the next check."""


@dataclass(frozen=True, slots=True)
class Suspicion:
    """What seems to be wrong with the file that was seen; `sound` when its bytes are whole: then the row is wrong."""

    kind: Kind
    look: Look | None
    actual: Digest | None = None
    reason: str = ""
    sound: bool = False


@dataclass(frozen=True, slots=True)
class _Settled:
    """A suspicion that stands: whether a repository holds the content, and where its file was moved to."""

    held: bool
    moved: str | None = None


class _Changed(Exception):
    """What was looked at is another thing by now; the row as it is."""

    def __init__(self, row: ContentRow) -> None:
        super().__init__()
        self.row = row


def compare(row: ContentRow, look: Look | None, actual: Digest | None = None) -> Suspicion | None:
    """Return what is wrong with a file that should be as the row says; `actual` is the digest of its bytes."""
    if look is None:
        return Suspicion(Kind.MISSING, None)
    if not look.regular:
        return Suspicion(Kind.NOT_A_FILE, look)
    if look.size != row.size:
        kind = Kind.SHORT if look.size < row.size else Kind.LONG
        return Suspicion(kind, look, actual, sound=actual == row.digest)
    if not look.readable:
        return Suspicion(Kind.UNREADABLE, look, reason="its mode lets nobody read it")
    if actual not in (None, row.digest):
        return Suspicion(Kind.FLIPPED, look, actual)
    return None if look.read_only else Suspicion(Kind.MODE, look)


class ContentCheck:
    """Compares rows with files, and files with rows."""

    def __init__(self, rows: RowStore, files: FileStore, mode: Mode, progress: Progress, orphans: OrphanCheck) -> None:
        """Compare these stores, and tell `progress`; leave files without a row to `orphans`."""
        self._rows = rows
        self._files = files
        self._mode = mode
        self._progress = progress
        self._orphans = orphans

    async def run(self) -> AsyncIterator[Finding]:
        """Yield what is wrong, a small part of all digests at a time, in order."""
        for beginning in beginnings():
            unknown = set(self._files.contents(beginning))
            after: Digest | None = None
            while page := self._rows.page_contents(beginning, after, PAGE):
                unknown.difference_update(row.digest for row in page)
                after = page[-1].digest
                async for finding in self._page(page):
                    yield finding
            for digest in sorted(unknown):
                if orphan := await self._orphans.check(digest):
                    yield orphan
            await asyncio.sleep(0)  # others on this loop, such as the one who shows progress, get their turn

    async def _page(self, page: Sequence[ContentRow]) -> AsyncIterator[Finding]:
        for start in range(0, len(page), READ_AT_ONCE):
            batch = page[start : start + READ_AT_ONCE]
            kept = [row for row in batch if row.state is not ContentState.CONDEMNED]  # the rest is the collector's
            doubtful = kept if self._mode.deep else [row for row in kept if self._first_sight(row) is not None]
            for finding in await asyncio.gather(*map(self._check, doubtful)):
                if finding is not None:
                    yield finding
            self._progress.contents_checked += len(batch)

    def _first_sight(self, row: ContentRow) -> Suspicion | None:
        if row.state is ContentState.DAMAGED and self._mode.repair:
            return Suspicion(Kind.FLIPPED, None)  # its bytes decide
        return compare(row, self._files.look(self._files.place(row.digest)))

    async def _check(self, row: ContentRow) -> Finding | None:
        for _attempt in range(ATTEMPTS):
            suspicion = await self._suspect(row)
            if suspicion is None:
                return None
            try:
                settled = await self._settle(row, suspicion)
            except _Changed as changed:
                row = changed.row
            else:
                return None if settled is None else await self._finding(row, suspicion, settled)
        return None

    async def _suspect(self, row: ContentRow) -> Suspicion | None:
        """Compare a row with its file, without any lock."""
        place = self._files.place(row.digest)
        look = self._files.look(place)
        suspicion = compare(row, look)
        if look is None or not look.regular or not look.readable or not self._must_read(row, suspicion):
            return suspicion
        try:
            hashed = await self._files.digest(place, row.digest.algorithm, self._progress.read)
        except ContentUnreadable as fault:
            return Suspicion(Kind.UNREADABLE, look, reason=str(fault))
        if hashed is None:
            return compare(row, self._files.look(place))
        if row.state is ContentState.DAMAGED and hashed.digest == row.digest:
            return Suspicion(Kind.LONG, hashed.look, hashed.digest, sound=True)
        return compare(row, hashed.look, hashed.digest)

    def _must_read(self, row: ContentRow, suspicion: Suspicion | None) -> bool:
        """Tell whether bytes decide: always in a deep check, and before a file of a wrong size is moved."""
        wrong_size = suspicion is not None and suspicion.kind in (Kind.SHORT, Kind.LONG)
        return self._mode.deep or (self._mode.repair and (wrong_size or row.state is ContentState.DAMAGED))

    async def _settle(self, row: ContentRow, suspicion: Suspicion) -> _Settled | None:
        """Look again while nobody writes rows, and mend the file there; `None` when the row has gone.

        Raises: _Changed.
        """

        def judge(current: ContentRow | None, held: bool) -> _Settled | None:  # noqa: FBT001 (the protocol's form)
            if current is None or current.state is ContentState.CONDEMNED:
                return None
            if current.size != row.size or self._files.look(self._files.place(row.digest)) != suspicion.look:
                raise _Changed(current)
            return _Settled(held, self._mend_file(row, suspicion) if self._mode.repair else None)

        return await self._rows.settle(row.digest, judge)

    def _mend_file(self, row: ContentRow, suspicion: Suspicion) -> str | None:
        """Make a file readable, or move it out of the way of the push that heals it; return where it is then."""
        place = self._files.place(row.digest)
        if suspicion.look is None or suspicion.sound:
            return None
        if _protects(suspicion):
            self._files.protect(place)
            return None
        moved = self._files.set_aside(place, suspicion.look, str(row.digest))
        if moved is None:
            raise _Changed(row)
        return moved

    async def _finding(self, row: ContentRow, suspicion: Suspicion, settled: _Settled) -> Finding:
        """Finish the repair, with what it needs besides the file, and report all."""
        done, to_do = await self._outcome(row, suspicion, settled)
        uses = await self._rows.uses(row.digest, LISTED)
        return Finding(
            kind=suspicion.kind,
            done=done,
            to_do=to_do,
            digest=str(row.digest),
            place=self._files.place(row.digest),
            repositories=uses.repositories,
            tags=uses.tags,
            size=0 if suspicion.look is None else suspicion.look.size,
            expected=row.size,
            actual=None if suspicion.actual is None else str(suspicion.actual),
            whole=suspicion.sound,
            reason=suspicion.reason,
            moved_to=settled.moved,
        )

    async def _outcome(self, row: ContentRow, suspicion: Suspicion, settled: _Settled) -> tuple[Repair, Remedy]:
        """Return what was done, and what remains to be done."""
        look = suspicion.look
        if not self._mode.repair:
            return Repair.NOTHING, _remedy(suspicion, held=settled.held)
        if suspicion.sound and look is not None:
            adopted = await self._adopt(row, look)
            return (Repair.SIZE_UPDATED, Remedy.NOTHING) if adopted else (Repair.NOTHING, Remedy.CHECK_AGAIN)
        if _protects(suspicion):
            return Repair.MODE_SET, Remedy.NOTHING
        moved = Repair.MOVED if settled.moved else Repair.NOTHING
        if settled.held:
            return moved, Remedy.PUSH
        return moved, Remedy.CHECK_AGAIN

    async def _adopt(self, row: ContentRow, look: Look) -> bool:
        place = self._files.place(row.digest)
        return await self._rows.adopt(
            ContentRecord(row.digest, look.size), present=lambda: self._files.look(place) == look
        )


def _protects(suspicion: Suspicion) -> bool:
    """Tell whether a mode is all that is wrong, as far as anybody can see."""
    unreadable = suspicion.kind is Kind.UNREADABLE and suspicion.look is not None and not suspicion.look.readable
    return suspicion.kind is Kind.MODE or unreadable


def _remedy(suspicion: Suspicion, *, held: bool) -> Remedy:
    """Return what to do about something that was not repaired."""
    if suspicion.sound or _protects(suspicion) or not held:
        return Remedy.REPAIR
    return Remedy.PUSH if suspicion.look is None else Remedy.PUSH_OR_REPAIR


def beginnings() -> list[str]:
    """Return what all digests begin with, cut so finely that those of one beginning fit into memory."""
    return [f"{algorithm}:{shard:02x}" for algorithm in sorted(ALGORITHMS) for shard in range(256)]
