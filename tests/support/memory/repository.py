"""The contents of one repository in memory, and the events of its holdings."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Tag
from simple_registry.storage.life import HOLDINGS, HoldingEvent, HoldingState
from simple_registry.storage.records import Holding, ManifestRow, Part, StillNeeded, TagRow


@dataclass(slots=True)
class MemoryRepository:
    """All that one repository holds, deleted or not."""

    blobs: dict[Digest, Holding] = field(default_factory=dict)
    manifests: dict[Digest, tuple[ManifestRow, Holding]] = field(default_factory=dict)
    tags: dict[Tag, Digest] = field(default_factory=dict)
    owners: dict[tuple[Part, Digest], str] = field(default_factory=dict)
    released: set[Digest] = field(default_factory=set)
    pushed: dict[Tag, float] = field(default_factory=dict)
    """When each tag was last pushed, also of tags that went since."""
    pulled: dict[Tag, float] = field(default_factory=dict)

    def counts(self, part: Part, digest: Digest) -> bool:
        """Return whether a blob, or a manifest (`CHILD`), counts for quotas."""
        if part is Part.CHILD:
            return digest in self.manifests and self.manifests[digest][1].state is HoldingState.NEEDED
        state = self.blobs[digest].state if digest in self.blobs else HoldingState.ABSENT
        return state is HoldingState.NEEDED or (state is HoldingState.UNNEEDED and digest not in self.released)

    def take_over(self, part: Part, digest: Digest, owner: str) -> None:
        """Make an identity the owner of a holding, unless it counts."""
        if not self.counts(part, digest):
            self.owners[part, digest] = owner

    def point_tags(self, tags: Iterable[Tag], digest: Digest, now: float) -> None:
        """Point tags at a manifest; a new one was not pulled yet."""
        for tag in tags:
            if tag not in self.tags:
                self.pulled.pop(tag, None)
            self.tags[tag], self.pushed[tag] = digest, now

    def dated_tags(self) -> list[TagRow]:
        """Return the tags with their times, in ASCII order."""
        return [TagRow(tag, self.tags[tag], self.pushed[tag], self.pulled.get(tag)) for tag in sorted(self.tags)]

    def holds(self, digest: Digest) -> bool:
        """Return whether the repository holds this content as a blob or a manifest, deleted or not."""
        return digest in self.blobs or digest in self.manifests

    def blob(self, digest: Digest) -> Holding | None:
        """Return the holding of a blob that is not deleted."""
        return _unless_deleted(self.blobs.get(digest))

    def manifest(self, digest: Digest) -> ManifestRow | None:
        """Return a manifest that is not deleted."""
        row, holding = self.manifests.get(digest, (None, None))
        return None if _unless_deleted(holding) is None else row

    @property
    def listed(self) -> list[ManifestRow]:
        """The manifests that are not deleted, in order of digest."""
        rows = [row for row, holding in self.manifests.values() if _unless_deleted(holding)]
        return sorted(rows, key=lambda row: str(row.digest))

    def has_part(self, part: Part, digest: Digest) -> bool:
        """Return whether the repository holds this part of a manifest."""
        return self.blob(digest) is not None or (part is Part.CHILD and self.manifest(digest) is not None)

    def needs(self, digest: Digest) -> bool:
        """Return whether a needed manifest refers to this content."""
        return any(holding.state is HoldingState.NEEDED for holding in self.referring(digest))

    def still_needed(self, digest: Digest) -> StillNeeded | None:
        """Return a manifest, not deleted, that refers to this content, if there is one."""
        needing = [row.digest for row in self.listed if digest in row.children]
        return StillNeeded(needing[0]) if needing else None

    def referring(self, digest: Digest) -> list[Holding]:
        """Return the holdings of the manifests, deleted or not, that refer to this content."""
        return [holding for row, holding in self.manifests.values() if digest in row.children]

    def apply_event(self, event: HoldingEvent, digest: Digest, now: float) -> bool:
        """Apply an event to a blob. Return whether it changed anything."""
        before = self.blobs.get(digest)
        after = apply_event(before, event, now)
        if after is None:
            self.blobs.pop(digest, None)
        else:
            self.blobs[digest] = after
        if after is None or after.state is HoldingState.NEEDED:
            self.released.discard(digest)
        elif before is not None and before.state is HoldingState.NEEDED and after.state is HoldingState.UNNEEDED:
            self.released.add(digest)
        elif after is not before and after.state is HoldingState.UNNEEDED and not after.extended:
            self.released.discard(digest)
        return before != after

    def apply_to_manifest(self, event: HoldingEvent, digest: Digest, now: float) -> bool:
        """Apply an event to a manifest, but not to its parts. Return whether it changed anything."""
        if digest not in self.manifests:
            return False
        row, before = self.manifests[digest]
        after = apply_event(before, event, now)
        if after is None:
            del self.manifests[digest]
        else:
            self.manifests[digest] = (row, after)
        return before != after

    def keep(self, event: HoldingEvent, digest: Digest, now: float) -> None:
        """Apply an event (kept, asked or seen) to what a manifest keeps: parts and referrers, and theirs."""
        pending, known = [digest], {digest}
        while pending:
            self.apply_to_manifest(event, each := pending.pop(), now)
            children = self.manifests[each][0].children
            for child in children:
                if event is HoldingEvent.KEPT and each != digest:
                    self.apply_event(HoldingEvent.RESTORED, child, now)
                self.apply_event(event, child, now)
            referrers = [row.digest for row, _ in self.manifests.values() if row.subject == each]
            found = {one for one in (*children, *referrers) if self._is_unneeded(one)} - known
            pending += found
            known |= found

    def keeps(self, row: ManifestRow) -> bool:
        """Return whether a manifest has a tag, or another needed manifest keeps it."""
        return row.digest in self.tags.values() or self.is_kept_by_another(row)

    def is_kept_by_another(self, row: ManifestRow) -> bool:
        """Return whether another needed manifest keeps a manifest."""
        subject = None if row.subject is None else self.manifests.get(row.subject)
        needed_subject = subject is not None and subject[1].state is HoldingState.NEEDED
        return needed_subject or self.needs(row.digest)

    def _is_unneeded(self, digest: Digest) -> bool:
        return digest in self.manifests and self.manifests[digest][1].state is HoldingState.UNNEEDED

    def release_parts(self, digest: Digest, now: float) -> None:
        """Make the parts of a manifest that is needed no more unneeded, except those of another needed manifest."""
        for child in self.manifests[digest][0].children:
            if not self.needs(child):
                self.apply_event(HoldingEvent.RELEASED, child, now)


def apply_event(holding: Holding | None, event: HoldingEvent, now: float) -> Holding | None:
    """Return a holding (`None`: absent) after an event."""
    after = HOLDINGS[HoldingState.ABSENT if holding is None else holding.state].get(event)
    if after is None:
        return holding
    if event is HoldingEvent.SEEN and holding is not None and holding.extended:
        return holding
    return None if after is HoldingState.ABSENT else Holding(after, now, extended=event is HoldingEvent.SEEN)


def _unless_deleted(holding: Holding | None) -> Holding | None:
    return None if holding is None or holding.state is HoldingState.DELETED else holding
