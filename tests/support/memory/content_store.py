"""The content store in memory."""

from simple_registry.content import Content, InMemory
from simple_registry.oci.digests import Digest
from simple_registry.storage.records import ContentRecord, Placed


class MemoryContentStore:
    """Stores content in a dictionary."""

    def __init__(self) -> None:
        """Start empty."""
        self.contents: dict[Digest, bytes] = {}

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` if bytes of this size are absent."""
        data = self.contents.get(record.digest)
        return None if data is None or len(data) != record.size else InMemory(data)

    async def has(self, record: ContentRecord) -> bool:
        """Return whether bytes of this size exist."""
        return await self.open(record) is not None

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Store content, replacing other bytes."""
        self.contents[digest] = data
        return Placed()

    async def remove(self, record: ContentRecord) -> None:
        """Remove content, if it exists."""
        self.contents.pop(record.digest, None)

    def check(self) -> None:
        """Do nothing: memory is always available."""
