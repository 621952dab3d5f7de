"""The content store in memory."""

from simple_registry.content import Content, InMemory
from simple_registry.oci.digests import Digest
from simple_registry.storage.records import Blob, Placed


class MemoryContentStore:
    """Keeps content in a dictionary."""

    def __init__(self) -> None:
        """Begin empty."""
        self.contents: dict[Digest, bytes] = {}

    def present(self, blob: Blob) -> bool:
        """Tell whether content with this digest and this size is here."""
        data = self.contents.get(blob.digest)
        return data is not None and len(data) == blob.size

    async def open(self, digest: Digest) -> Content | None:
        """Return the content, or `None` when it is not here."""
        data = self.contents.get(digest)
        return None if data is None else InMemory(data)

    def vouch(self, blob: Blob, _placed: Placed | None, _known: bool) -> bool:  # noqa: FBT001 (see the protocol)
        """Tell whether the content is here; nothing here is more durable than that."""
        return self.present(blob)

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Keep content, in the place of whatever is there."""
        self.contents[digest] = data
        return Placed((id(data),))

    def remove(self, digest: Digest) -> None:
        """Remove content; called only by the callback of `GarbageRows.forget`. Absent content is fine."""
        self.contents.pop(digest, None)

    def check(self) -> None:
        """Do nothing: memory is always there."""
