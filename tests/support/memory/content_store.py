"""The content store in memory."""

from simple_registry.content import Content, InMemory
from simple_registry.oci.digests import Digest
from simple_registry.storage.records import ContentRecord, Place


class MemoryContentStore:
    """Keeps content in a dictionary."""

    def __init__(self) -> None:
        """Begin empty."""
        self.contents: dict[Digest, bytes] = {}

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` when bytes of this size are not here."""
        data = self.contents.get(record.digest)
        return None if data is None or len(data) != record.size else InMemory(data)

    async def has(self, record: ContentRecord) -> bool:
        """Return whether bytes of this size are here."""
        return await self.open(record) is not None

    async def put(self, digest: Digest, data: bytes) -> Place:
        """Keep content, in the place of whatever is there."""
        self.contents[digest] = data
        return Place("")

    async def remove(self, record: ContentRecord) -> None:
        """Remove content. Absent content is fine."""
        self.contents.pop(record.digest, None)

    def check(self) -> None:
        """Do nothing: memory is always there."""
