"""Rows for `fsck`: what points at nothing, and what is noted wrongly.

Nothing goes that a push may still heal: a tag stays though its manifest is gone, for its push brings it back. Rows of a
manifest are made anew from its bytes only where a tag proves that the repository held it. A repository never comes to
hold a part because a manifest names it: naming is no proof, and somebody may have deleted it with good reason.
"""

from collections.abc import AsyncIterator

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.operations.manifests import Required, manifest_row
from simple_registry.storage.inspection import ContentUnreadable, Defect, FileStore, RowDefect, RowStore
from simple_registry.storage.records import ContentRecord, ManifestRow

PAGE = 500
LISTED = 20
MANIFEST_SIZE = 64 * 1024 * 1024
"""Most bytes of a manifest that are read."""


KINDS = {
    Defect.TAG_WITHOUT_MANIFEST: Kind.DANGLING,
    Defect.PART_MISSING: Kind.DANGLING,
    Defect.BLOB_WITHOUT_CONTENT: Kind.DANGLING,
    Defect.MANIFEST_WITHOUT_CONTENT: Kind.DANGLING,
    Defect.HOLDER_WITHOUT_REPOSITORY: Kind.DANGLING,
    Defect.PARTS_WITHOUT_MANIFEST: Kind.DANGLING,
    Defect.HELD_AS_UNHELD: Kind.MISCOUNTED,
    Defect.UNHELD_AS_HELD: Kind.MISCOUNTED,
    Defect.TAG_MALFORMED: Kind.MALFORMED,
    Defect.MALFORMED: Kind.MALFORMED,
}
"""The finding that each defect is."""


class RowCheck:
    """Looks for defects of rows. `needed` collects the parts that manifests lack, whose bytes must not go."""

    def __init__(self, rows: RowStore, files: FileStore, required: Required, mode: Mode, progress: Progress) -> None:
        """Look at these stores; `required` says which parts of a manifest must be there."""
        self._rows = rows
        self._files = files
        self._required = required
        self._mode = mode
        self._progress = progress
        self._latest: tuple[Digest, frozenset[Digest] | None] | None = None
        self.needed: set[Digest] = set()

    async def run(self) -> AsyncIterator[Finding]:
        """Yield what is wrong, one kind of defect after the other."""
        for defect in Defect:
            after: RowDefect | None = None
            while page := await self._rows.page_defects(defect, after, PAGE):
                after = page[-1]
                for each in page:
                    if finding := await self._check(each):
                        yield finding

    async def _check(self, each: RowDefect) -> Finding | None:
        if each.defect is Defect.PART_MISSING and not await self._must_have(each):
            return None
        kind = KINDS[each.defect]
        repaired = self._mode.repair and await self._repair(each)
        return Finding(
            kind=kind,
            defect=each.defect,
            done=Repair.ROWS if repaired else Repair.NOTHING,
            to_do=Remedy.NOTHING if repaired else Remedy.ROWS,
            digest=each.digest if each.digest and kind is not Kind.MALFORMED else None,
            repository=each.repository if each.repository and each.defect is not Defect.MALFORMED else None,
            tag=each.name if each.defect in (Defect.TAG_WITHOUT_MANIFEST, Defect.TAG_MALFORMED) else None,
            tags=await self._tags(each) if each.defect is Defect.PART_MISSING else (),
            part=each.name,
            table=each.repository,
            reason=repr(each.digest[:160]),
        )

    async def _tags(self, each: RowDefect) -> tuple[str, ...]:
        uses = await self._rows.uses(parse_digest(each.digest), LISTED)
        return tuple(tag for tag in uses.tags if tag.startswith(f"{each.repository}:"))

    async def _repair(self, each: RowDefect) -> bool:
        match each.defect:
            case Defect.TAG_WITHOUT_MANIFEST:
                return await self._restore(each)
            case Defect.BLOB_WITHOUT_CONTENT | Defect.MANIFEST_WITHOUT_CONTENT:
                return await self._adopt(parse_digest(each.digest))
            case Defect.UNHELD_AS_HELD if parse_digest(each.digest) in self.needed:
                return False
            case _:
                return await self._rows.mend(each)

    async def _adopt(self, digest: Digest) -> bool:
        """Give held content the row that it lacks, from a file that is whole."""
        place = self._files.place(digest)
        try:
            hashed = await self._files.digest(place, digest.algorithm, self._progress.read)
        except ContentUnreadable:
            return False
        if hashed is None or hashed.digest != digest:
            return False
        blob = ContentRecord(digest, hashed.look.size)
        if not self._files.confirm(blob):
            return False
        return await self._rows.adopt(blob, present=lambda: self._files.look(place) == hashed.look)

    async def _restore(self, each: RowDefect) -> bool:
        """Make the row of a tag's manifest anew from its bytes."""
        digest = parse_digest(each.digest)
        row = await self._row(digest)
        if row is None or not await self._adopt(digest):
            return False
        place = self._files.place(digest)
        look = self._files.look(place)
        return look is not None and await self._rows.restore_manifest(
            each, row, present=lambda: self._files.look(place) == look
        )

    async def _row(self, digest: Digest) -> ManifestRow | None:
        data = await self._files.read(digest, MANIFEST_SIZE)
        manifest = None if data is None else _parsed(data)
        return None if data is None or manifest is None else manifest_row(digest, len(data), manifest)

    async def _must_have(self, each: RowDefect) -> bool:
        """Tell whether the part of a manifest must be there; nobody can tell when the manifest's bytes are gone."""
        manifest, part = parse_digest(each.digest), parse_digest(each.name)
        self.needed.add(part)
        if self._latest is None or self._latest[0] != manifest:
            self._latest = manifest, await self._required_parts(manifest)
        required = self._latest[1]
        return required is not None and part in required

    async def _required_parts(self, digest: Digest) -> frozenset[Digest] | None:
        data = await self._files.read(digest, MANIFEST_SIZE)
        manifest = None if data is None else _parsed(data)
        if manifest is None:
            return None
        parts = manifest.blobs if self._required.blobs else ()
        children = manifest.children if self._required.children else ()
        return frozenset(part.digest for part in (*parts, *children))


def _parsed(data: bytes) -> Manifest | None:
    try:
        return parse_manifest(data, None)
    except RegistryError:
        return None
