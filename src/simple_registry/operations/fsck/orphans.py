"""Files without a row, for `fsck`: nobody can read them, they only take room.

A push names its file and then writes the row, so a file counts only when it is no longer young, and when there is
still no row while nobody writes. A whole one is taken over as content that nobody holds: the collector removes it after
its grace, unless somebody pushes it meanwhile. Anything else goes to the quarantine.
"""

import asyncio
from collections.abc import AsyncIterator, Set as AbstractSet
from dataclasses import dataclass
from functools import partial

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.storage.inspection import ContentRow, ContentUnreadable, FileStore, Look, RowStore
from simple_registry.storage.records import ContentRecord

YOUNG = 60.0
"""Seconds that a push may take from the name of a file to its row."""


@dataclass(frozen=True, slots=True)
class _Orphan:
    """A file without a row as it looked; `whole` tells whether its bytes hash to its digest, where they were read."""

    look: Look
    whole: bool | None


class OrphanCheck:
    """Judges files without a row, and what has no name of ours."""

    def __init__(
        self,
        rows: RowStore,
        files: FileStore,
        clock: Clock,
        mode: Mode,
        progress: Progress,
        *,
        needed: AbstractSet[Digest],
    ) -> None:
        """Compare these stores, and count in `progress`.

        The bytes of `needed` parts, which manifests lack, stay where they are: the next push may want them.
        """
        self._rows = rows
        self._files = files
        self._clock = clock
        self._mode = mode
        self._progress = progress
        self._needed = needed

    async def check(self, digest: Digest) -> Finding | None:
        """Return what there is to say of a file that had no row a moment ago."""
        place = self._files.place(digest)
        orphan = await self._look(digest, place)
        if orphan is None:
            return None
        blob = ContentRecord(digest, orphan.look.size)
        adopting = self._mode.repair and orphan.whole is True and digest not in self._needed
        if adopting and not await asyncio.to_thread(self._files.confirm, blob):
            return None
        stands, moved = await self._settle(digest, place, orphan)
        if not stands:
            return None
        adopted = adopting and await self._rows.adopt(blob, present=lambda: self._files.look(place) == orphan.look)
        remedy = Remedy.PUSH_TO_REPOSITORY if digest in self._needed else Remedy.REPAIR
        return Finding(
            kind=Kind.ORPHAN,
            done=Repair.ADOPTED if adopted else _done(moved),
            to_do=Remedy.NOTHING if adopted or moved else remedy,
            digest=str(digest),
            place=place,
            size=orphan.look.size,
            whole=orphan.whole,
            moved_to=moved,
        )

    async def strays(self) -> AsyncIterator[Finding]:
        """Yield what has no name of ours, in the trees of content and uploads."""
        for place in self._files.strays():
            look = self._files.look(place)
            if look is None or not is_old(look, self._clock.now()):
                continue
            aside = partial(self._files.set_aside, place, look, place.rpartition("/")[2])
            moved = await self._rows.alone(aside) if self._mode.repair else None
            yield Finding(
                kind=Kind.STRAY,
                done=_done(moved),
                to_do=Remedy.NOTHING if moved else Remedy.REPAIR,
                place=place,
                moved_to=moved,
            )

    async def _look(self, digest: Digest, place: str) -> _Orphan | None:
        look = self._files.look(place)
        if look is None or not is_old(look, self._clock.now()):
            return None
        if not (self._mode.deep or self._mode.repair) or not look.regular:
            return _Orphan(look, None if look.regular else False)
        try:
            hashed = await self._files.digest(place, digest.algorithm, self._progress.read)
        except ContentUnreadable:
            return _Orphan(look, whole=False)
        return None if hashed is None else _Orphan(hashed.look, hashed.digest == digest)

    async def _settle(self, digest: Digest, place: str, orphan: _Orphan) -> tuple[bool, str | None]:
        """Return whether it is an orphan while nobody writes rows, and where it was moved to."""

        def judge(current: ContentRow | None, held: bool) -> tuple[bool, str | None]:  # noqa: FBT001 (the protocol's form)
            # Held without a row of its own: that is told of with the rows, and is no orphan.
            if current is not None or held or self._files.look(place) != orphan.look:
                return False, None
            if not self._mode.repair or orphan.whole:
                return True, None
            moved = self._files.set_aside(place, orphan.look, str(digest))
            return moved is not None, moved

        return await self._rows.settle(digest, judge)


def is_old(look: Look, now: float) -> bool:
    """Return whether a push can no longer be about to write the row of a file."""
    return abs(now - look.changed) >= YOUNG


def _done(moved: str | None) -> Repair:
    return Repair.MOVED if moved else Repair.NOTHING
