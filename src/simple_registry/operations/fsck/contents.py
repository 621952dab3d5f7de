"""Content for `fsck`: compares each row with the stored bytes.

    listing ──► a suspicion ──► again, while no collector runs ──► a finding, and with `repair` its repair
                    ▲                        │
                    └── something changed ───┘

The collector may remove bytes during the first comparison; so they are missing only if they still are while no
collector runs. A push may replace bytes at any moment, in one step; so they are damaged only if they are still the
version that was read. Damaged content is marked in its row and left in place: the registry answers 404 for it, clients
push it again, and the push replaces it.
"""

import asyncio
from collections.abc import AsyncIterator, MutableMapping, Sequence
from dataclasses import dataclass, replace

from simple_registry.oci.digests import ALGORITHMS, Digest
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.operations.fsck.orphans import OrphanCheck
from simple_registry.storage.inspection import ContentRow, ContentUnreadable, Flaw, Inspection, Stored, Uses
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import Place

PAGE = 1000
"""Rows read at once."""

READ_AT_ONCE = 32
"""Contents passed to the reading threads at once; they queue there."""

MAX_LISTED = 20
"""Repositories, and tags, that a finding names."""

MAX_ATTEMPTS = 20
"""Comparisons of content that keeps changing; after them it is left to the next check."""

Listing = MutableMapping[tuple[Digest, Place], Stored]


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A possible finding about content; `sound` if its bytes are whole, and only its row is wrong."""

    kind: Kind
    stored: Stored | None
    actual: Digest | None = None
    reason: str = ""
    sound: bool = False


def compare(row: ContentRow, stored: Stored | None, actual: Digest | None = None) -> Suspicion | None:
    """Return the suspicion if content differs from its row; `actual` is the digest of its bytes if they were read."""
    sound = actual == row.record.digest
    if stored is None:
        return Suspicion(Kind.MISSING, None)
    if stored.flaw is Flaw.NOT_A_FILE:
        return Suspicion(Kind.NOT_A_FILE, stored)
    if stored.size != row.record.size:
        kind = Kind.SHORT if stored.size < row.record.size else Kind.LONG
        return Suspicion(kind, stored, actual, sound=sound)
    if stored.flaw is Flaw.UNREADABLE:
        return Suspicion(Kind.UNREADABLE, stored, reason="its mode does not allow reading")
    if actual is not None and not sound:
        return Suspicion(Kind.FLIPPED, stored, actual)
    if row.state is ContentState.DAMAGED:
        return Suspicion(Kind.DAMAGED, stored, actual, sound=sound)
    return Suspicion(Kind.MODE, stored) if stored.flaw is Flaw.WRITABLE else None


class ContentCheck:
    """Compares rows with what is stored, and what is stored with rows."""

    def __init__(self, inspection: Inspection, mode: Mode, progress: Progress, orphans: OrphanCheck) -> None:
        self._rows = inspection.rows
        self._contents = inspection.contents
        self._tree = inspection.tree
        self._garbage = inspection.stores.garbage
        self._mark_damaged = inspection.stores.contents.mark_damaged
        self._mode = mode
        self._progress = progress
        self._orphans = orphans

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings in the order of digests, one prefix at a time."""
        for prefix in prefixes():
            listing = {(each.digest, each.place): each for each in await self._contents.listing(prefix)}
            after: Digest | None = None
            while page := await self._rows.page_contents(prefix, after, PAGE):
                after = page[-1].record.digest
                for start in range(0, len(page), READ_AT_ONCE):
                    async for finding in self._batch(page[start : start + READ_AT_ONCE], listing):
                        yield finding
            for stored in listing.values():
                if orphan := await self._orphans.check(stored):
                    yield orphan
            await asyncio.sleep(0)  # other tasks of this loop, such as the one that shows progress, get their turn

    async def _batch(self, rows: Sequence[ContentRow], listing: Listing) -> AsyncIterator[Finding]:
        seen = [(row, listing.pop((row.record.digest, row.record.place), None)) for row in rows]
        doubtful = [(row, stored) for row, stored in seen if self._mode.deep or compare(row, stored) is not None]
        suspicions = await asyncio.gather(*(self.suspect(row, stored) for row, stored in doubtful))
        for (row, _stored), suspicion in zip(doubtful, suspicions, strict=True):
            if finding := await self.confirm(row, suspicion):
                yield finding
        self._progress.contents_checked += len(rows)

    async def suspect(self, row: ContentRow, stored: Stored | None) -> Suspicion | None:
        """Compare a row with what is stored, without any lock."""
        suspicion = compare(row, stored)
        if stored is None or stored.flaw in (Flaw.NOT_A_FILE, Flaw.UNREADABLE) or not self._must_read(suspicion):
            return suspicion
        try:
            actual = await self._contents.hash(stored, self._progress.read)
        except ContentUnreadable as fault:
            return Suspicion(Kind.UNREADABLE, stored, reason=str(fault))
        return compare(row, stored, actual)

    def _must_read(self, suspicion: Suspicion | None) -> bool:
        """Return whether to read the bytes: in a deep check, and before a repair that whole bytes make unnecessary."""
        doubtful = suspicion is not None and suspicion.kind in (Kind.SHORT, Kind.LONG, Kind.DAMAGED)
        return self._mode.deep or (self._mode.repair and doubtful)

    async def confirm(self, row: ContentRow, suspicion: Suspicion | None) -> Finding | None:
        """Compare again while no collector runs; report, and repair, a suspicion that still holds."""
        for _attempt in range(MAX_ATTEMPTS):
            if suspicion is None:
                return None
            # Before the collector is blocked: this takes a while for a layer that thousands of manifests share.
            uses = await self._rows.uses(row.record.digest, MAX_LISTED)
            if not uses.repositories and _may_be_absent(row, suspicion):
                return None
            async with self._garbage.collecting(only_reading=not self._mode.repair):
                current = await self._rows.find_content(row.record.digest)
                if current is None or current.state is ContentState.CONDEMNED:
                    return None
                stored = await self._find(current)
                if (current, stored) == (row, suspicion.stored):
                    finding = await self._finding(row, suspicion, uses)
                    # A push may have replaced the bytes, and updated the row, just before the row was marked.
                    if not _is_marked(finding) or await self._find(row) == stored:
                        return finding
                    current, stored = replace(row, state=ContentState.DAMAGED), await self._find(row)
            row, suspicion = current, await self.suspect(current, stored)
        return None

    async def _find(self, row: ContentRow) -> Stored | None:
        found = await self._contents.find(row.record.digest, row.record.place)
        if found is None:
            self._contents.check()  # an unreachable tree is not an absent file
        return found

    async def _finding(self, row: ContentRow, suspicion: Suspicion, uses: Uses) -> Finding:
        finding = Finding(
            kind=suspicion.kind,
            to_do=_remedy(row, suspicion, held=bool(uses.repositories)),
            digest=str(row.record.digest),
            path=self._contents.path(row.record.digest),
            repositories=uses.repositories,
            tags=uses.tags,
            size=0 if suspicion.stored is None else suspicion.stored.size,
            expected=row.record.size,
            actual=None if suspicion.actual is None else str(suspicion.actual),
            whole=suspicion.sound,
            reason=suspicion.reason,
        )
        return await self._repaired(row, suspicion, finding) if self._mode.repair else finding

    async def _repaired(self, row: ContentRow, suspicion: Suspicion, finding: Finding) -> Finding:
        """Repair the content; return the finding with what was done and what remains to be done."""
        damaged = row.state is ContentState.DAMAGED
        if _is_only_mode(suspicion) and self._tree is not None:
            await self._tree.set_mode(row.record.digest)
            return replace(finding, done=Repair.MODE_SET, to_do=Remedy.CHECK_AGAIN if damaged else Remedy.NOTHING)
        if suspicion.sound and suspicion.stored is not None:
            if await self._contents.keep(suspicion.stored) and await self._rows.make_whole(suspicion.stored.record):
                return replace(finding, done=Repair.MADE_WHOLE, to_do=Remedy.NOTHING)
            return replace(finding, to_do=Remedy.CHECK_AGAIN)
        if not damaged:
            await self._mark_damaged(row.record)
        # A push replaces anything that has the name of content, except a directory.
        moved = await self._tree.clear_name(row.record.digest) if self._tree is not None else None
        return replace(
            finding,
            done=Repair.NOTHING if damaged else Repair.MARKED,
            to_do=Remedy.PUSH if finding.repositories else Remedy.NOTHING,
            moved_to=moved,
        )


def _remedy(row: ContentRow, suspicion: Suspicion, *, held: bool) -> Remedy:
    """Return what to do about content that was not repaired."""
    if suspicion.sound or _is_only_mode(suspicion) or not held:
        return Remedy.REPAIR
    known = suspicion.stored is None or (row.state is ContentState.DAMAGED and suspicion.actual is not None)
    return Remedy.PUSH if known else Remedy.PUSH_OR_REPAIR


def _may_be_absent(row: ContentRow, suspicion: Suspicion) -> bool:
    """Return whether content with only deleted holdings is absent to clients anyway.

    A copy of a store in use has such rows without files, if a grace ended during the copy.
    """
    return suspicion.kind is Kind.MISSING or (row.state is ContentState.DAMAGED and not suspicion.sound)


def _is_marked(finding: Finding) -> bool:
    """Return whether a row was marked because of bytes that are still there."""
    return finding.done is Repair.MARKED and finding.moved_to is None


def _is_only_mode(suspicion: Suspicion) -> bool:
    """Return whether the mode of a file is all that is wrong, as far as can be seen."""
    flaw = None if suspicion.stored is None else suspicion.stored.flaw
    return (suspicion.kind, flaw) in {(Kind.UNREADABLE, Flaw.UNREADABLE), (Kind.MODE, Flaw.WRITABLE)}


def prefixes() -> list[str]:
    """Return what all digests begin with, cut so finely that those of one prefix fit into memory."""
    return [f"{algorithm}:{shard:02x}" for algorithm in sorted(ALGORITHMS) for shard in range(256)]
