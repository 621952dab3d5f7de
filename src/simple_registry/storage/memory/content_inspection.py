"""The content of a store in memory for `fsck`."""

from collections.abc import Callable, Sequence

from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.inspection import Stored
from simple_registry.storage.memory.content_store import MemoryContentStore
from simple_registry.storage.records import Place


class MemoryContentInspection:
    """All contents of one store, as if they had been there forever."""

    def __init__(self, content: MemoryContentStore) -> None:
        """Inspect this store."""
        self._contents = content.contents

    def check(self) -> None:
        """Do nothing: memory is always there."""

    def path(self, digest: Digest) -> str:
        """Return the digest: there is no other name."""
        return str(digest)

    def session_path(self, session: str) -> str:
        """Return the session: there is no other name."""
        return session

    async def listing(self, prefix: str) -> Sequence[Stored]:
        """Return what is stored under digests that begin with `algorithm:xx`, in order of digest."""
        found = sorted(digest for digest in self._contents if str(digest).startswith(prefix))
        return [_stored(digest, self._contents[digest]) for digest in found]

    async def find(self, digest: Digest, place: Place) -> Stored | None:  # noqa: ARG002 (each digest has one place)
        """Return what is stored under a digest."""
        return _stored(digest, self._contents[digest]) if digest in self._contents else None

    async def hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        """Return the digest of the stored bytes, or `None` when something else is there by now, or nothing."""
        data = self._contents.get(stored.digest)
        if data is None or _stored(stored.digest, data) != stored:
            return None
        read(len(data))
        return digest_of(data, stored.digest.algorithm)

    async def keep(self, stored: Stored) -> bool:
        """Return whether what is stored is still there."""
        return await self.find(stored.digest, stored.place) == stored


def _stored(digest: Digest, data: bytes) -> Stored:
    return Stored(digest, Place(""), len(data), 0.0, id(data))
