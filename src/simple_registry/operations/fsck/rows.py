"""Rows for `fsck`: dangling references, and states that contradict each other.

A repair removes nothing that a push may still heal: a tag stays without its manifest, because a push of the manifest
restores it. The row of a manifest is recreated from its bytes only if a tag proves that the repository held it. A
repair never adds a part because a manifest refers to it: the part may have been deleted on purpose.
"""

from collections.abc import AsyncIterator

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.operations.fsck.findings import Finding, Kind, Mode, Progress, Remedy, Repair
from simple_registry.operations.manifests import Required, manifest_row
from simple_registry.storage.inspection import ContentUnreadable, Defect, Inspection, RowDefect, Stored
from simple_registry.storage.records import ContentRecord

PAGE = 500
MAX_LISTED = 20
MAX_MANIFEST_SIZE = 64 * 1024 * 1024
"""Bytes of the largest manifest that is read."""

KINDS = {
    Defect.TAG_WITHOUT_MANIFEST: Kind.DANGLING,
    Defect.PART_MISSING: Kind.DANGLING,
    Defect.BLOB_WITHOUT_CONTENT: Kind.DANGLING,
    Defect.MANIFEST_WITHOUT_CONTENT: Kind.DANGLING,
    Defect.HOLDING_WITHOUT_REPOSITORY: Kind.DANGLING,
    Defect.PARTS_WITHOUT_MANIFEST: Kind.DANGLING,
    Defect.CONDEMNED_HELD: Kind.MISCOUNTED,
    Defect.WHOLE_UNHELD: Kind.MISCOUNTED,
    Defect.NEEDED_UNREFERRED: Kind.MISCOUNTED,
    Defect.REFERRED_UNNEEDED: Kind.MISCOUNTED,
    Defect.USAGE: Kind.MISCOUNTED,
    Defect.TAG_MALFORMED: Kind.MALFORMED,
    Defect.MALFORMED: Kind.MALFORMED,
}
"""The kind of finding for each defect."""


class RowCheck:
    """Reports defects of rows."""

    def __init__(self, inspection: Inspection, required: Required, mode: Mode, progress: Progress) -> None:
        self._rows = inspection.rows
        self._contents = inspection.contents
        self._store = inspection.content
        self._garbage = inspection.stores.garbage
        self._required = required
        self._mode = mode
        self._progress = progress
        self._latest: tuple[Digest, frozenset[Digest] | None] | None = None

    async def run(self) -> AsyncIterator[Finding]:
        """Yield findings, one kind of defect after the other."""
        for defect in Defect:
            after: RowDefect | None = None
            while page := await self._rows.page_defects(defect, after, PAGE):
                after = page[-1]
                for each in page:
                    if finding := await self._check(each):
                        yield finding

    async def _check(self, each: RowDefect) -> Finding | None:
        if each.defect is Defect.PART_MISSING and not await self._is_required(each):
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
        uses = await self._rows.uses(parse_digest(each.digest), MAX_LISTED)
        return tuple(tag for tag in uses.tags if tag.startswith(f"{each.repository}:"))

    async def _repair(self, each: RowDefect) -> bool:
        match each.defect:
            case Defect.TAG_WITHOUT_MANIFEST:
                return await self._restore(each)
            case Defect.BLOB_WITHOUT_CONTENT | Defect.MANIFEST_WITHOUT_CONTENT:
                record = await self._whole(parse_digest(each.digest))
                return record is not None and await self._rows.make_whole(record)
            case _:
                return await self._rows.repair(each)

    async def _whole(self, digest: Digest) -> ContentRecord | None:
        """Return the record of whole bytes of a digest, at any place, after making them durable."""
        for stored in await self._contents.listing(f"{digest.algorithm}:{digest.encoded[:2]}"):
            if stored.digest == digest and await self._is_whole(stored) and await self._contents.keep(stored):
                return stored.record
        return None

    async def _is_whole(self, stored: Stored) -> bool:
        try:
            return await self._contents.hash(stored, self._progress.read) == stored.digest
        except ContentUnreadable:
            return False

    async def _restore(self, each: RowDefect) -> bool:
        """Recreate the row of a tag's manifest from its bytes."""
        # A collector may have condemned the content, and would remove it meanwhile.
        async with self._garbage.collecting():
            record = await self._whole(parse_digest(each.digest))
            manifest = None if record is None else await self._manifest(record)
            if record is None or manifest is None:
                return False
            row = manifest_row(record.digest, record.size, manifest)
            return await self._rows.restore_manifest(each, row, record)

    async def _is_required(self, each: RowDefect) -> bool:
        """Return whether the part of a manifest is required. Without the manifest's bytes it counts as optional."""
        manifest, part = parse_digest(each.digest), parse_digest(each.name)
        if self._latest is None or self._latest[0] != manifest:
            self._latest = manifest, await self._required_parts(manifest)
        required = self._latest[1]
        return required is not None and part in required

    async def _required_parts(self, digest: Digest) -> frozenset[Digest] | None:
        row = await self._rows.find_content(digest)
        manifest = None if row is None else await self._manifest(row.record)
        if manifest is None:
            return None
        parts = manifest.blobs if self._required.blobs else ()
        children = manifest.children if self._required.children else ()
        return frozenset(part.digest for part in (*parts, *children))

    async def _manifest(self, record: ContentRecord) -> Manifest | None:
        """Return the manifest parsed from its bytes, or `None` if they are missing or not a manifest."""
        if record.size > MAX_MANIFEST_SIZE:
            return None
        try:
            content = await self._store.open(record)
            return None if content is None else parse_manifest(await content.read(), None)
        except (StorageFault, RegistryError):
            return None
