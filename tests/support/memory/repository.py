"""The contents of one repository in memory, and the events of its holdings."""

from dataclasses import dataclass, field, replace

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Tag
from simple_registry.storage.life import HOLDINGS, HoldingEvent, HoldingState
from simple_registry.storage.records import Holding, ManifestRow, Part


@dataclass(slots=True)
class MemoryRepository:
    """All that one repository holds, deleted or not."""

    blobs: dict[Digest, Holding] = field(default_factory=dict)
    manifests: dict[Digest, tuple[ManifestRow, Holding]] = field(default_factory=dict)
    tags: dict[Tag, Digest] = field(default_factory=dict)

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
        """Return whether a manifest, deleted or not, refers to this content."""
        return any(digest in row.children for row, _ in self.manifests.values())

    def apply_event(self, event: HoldingEvent, digest: Digest, now: float) -> bool:
        """Apply an event to a blob. Return whether it changed anything."""
        before = self.blobs.get(digest)
        after = apply_event(before, event, now)
        if after is None:
            self.blobs.pop(digest, None)
        else:
            self.blobs[digest] = after
        return before != after


def apply_event(holding: Holding | None, event: HoldingEvent, now: float) -> Holding | None:
    """Return a holding (`None`: absent) after an event."""
    after = HOLDINGS[HoldingState.ABSENT if holding is None else holding.state].get(event)
    if after is None:
        return holding
    if event is HoldingEvent.SEEN and holding is not None:
        return replace(holding, extended=True)
    return None if after is HoldingState.ABSENT else Holding(after, now)


def _unless_deleted(holding: Holding | None) -> Holding | None:
    return None if holding is None or holding.state is HoldingState.DELETED else holding
