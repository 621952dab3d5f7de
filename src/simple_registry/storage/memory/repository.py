"""A repository in memory."""

from dataclasses import dataclass, field

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Tag
from simple_registry.storage.records import ManifestRow, Part


@dataclass(slots=True)
class MemoryRepository:
    """What one repository holds."""

    blobs: set[Digest] = field(default_factory=set)
    manifests: dict[Digest, ManifestRow] = field(default_factory=dict)
    tags: dict[Tag, Digest] = field(default_factory=dict)

    def has_part(self, part: Part, digest: Digest) -> bool:
        """Return whether a manifest's part is here."""
        return digest in self.blobs or (part is Part.CHILD and digest in self.manifests)
