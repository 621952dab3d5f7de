"""The content of an object server for `fsck`."""

from collections.abc import Callable, Sequence

from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.inspection import Stored
from simple_registry.storage.records import Place
from support.object_store.client import Entry, Objects


class ObjectInspection:
    """All objects of content. What has a key never changes."""

    def __init__(self, objects: Objects) -> None:
        """Inspect the objects of this server."""
        self._objects = objects

    def check(self) -> None:
        """Do nothing: requests notice that the server is away."""

    def path(self, digest: Digest) -> str:
        """Return what the keys of content begin with."""
        return f"content/{digest.algorithm}/{digest.encoded}"

    def session_path(self, session: str) -> str:
        """Return what the keys of a session begin with."""
        return f"uploads/{session}"

    async def listing(self, prefix: str) -> Sequence[Stored]:
        """Return the objects whose digests begin with `algorithm:xx`, in order of digest."""
        return [_stored(entry) for entry in await self._objects.list(f"content/{prefix.replace(':', '/')}")]

    async def find(self, digest: Digest, place: Place) -> Stored | None:
        """Return the object at one place."""
        found = await self._objects.list(place or self.path(digest))
        return next((_stored(entry) for entry in found if entry.key == place), None)

    async def hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        """Return the digest of an object, or `None` when it is gone."""
        hasher = new_hasher(stored.digest.algorithm)
        try:
            async for piece in self._objects.get(stored.place):
                hasher.update(piece)
                read(len(piece))
        except KeyError:
            return None
        return Digest(stored.digest.algorithm, hasher.hexdigest())

    async def keep(self, stored: Stored) -> bool:
        """Return whether the object is still there."""
        return await self.find(stored.digest, stored.place) == stored


def _stored(entry: Entry) -> Stored:
    _content, algorithm, encoded, _id = entry.key.split("/")
    return Stored(Digest(algorithm, encoded), Place(entry.key), entry.size, entry.put, entry.put)
