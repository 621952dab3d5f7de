"""Content and uploads in memory for `fsck`, as if they were files: what is kept has been there for ever."""

from collections.abc import Callable, Iterator, Sequence

from simple_registry.oci.digests import Digest, digest_of
from simple_registry.storage.inspection import Hashed, Look
from simple_registry.storage.memory.content_store import MemoryContentStore
from simple_registry.storage.memory.upload_store import MemoryUploadStore
from simple_registry.storage.records import ContentRecord

_CONTENT, _UPLOAD = "blobs/", "uploads/"


class MemoryContentInspection:
    """All contents and uploads of two stores in memory."""

    def __init__(self, content: MemoryContentStore, uploads: MemoryUploadStore) -> None:
        """Look at these stores."""
        self._content = content
        self._uploads = uploads
        self.quarantine: dict[str, bytes] = {}

    def check(self) -> None:
        """Do nothing: memory is always there."""

    def contents(self, beginning: str) -> Sequence[Digest]:
        """Return the digests that begin with `algorithm:xx` and whose name something has, in order."""
        return sorted(digest for digest in self._content.contents if str(digest).startswith(beginning))

    def place(self, digest: Digest) -> str:
        """Return where content of this digest belongs."""
        return f"{_CONTENT}{digest}"

    def session_place(self, session: str) -> str:
        """Return where the bytes of a session belong."""
        return f"{_UPLOAD}{session}"

    def sessions(self) -> Sequence[str]:
        """Return the sessions that have bytes, in order."""
        return sorted(self._uploads.sessions)

    def strays(self) -> Iterator[str]:
        """Yield nothing: what has no name of ours cannot be kept here."""
        yield from ()

    def look(self, place: str) -> Look | None:
        """Tell what stands at a place; `None` when nothing does."""
        data = self._at(place)
        if data is None:
            return None
        identity = (id(data), len(data))
        return Look(regular=True, readable=True, read_only=True, size=len(data), changed=0.0, identity=identity)

    async def digest(self, place: str, algorithm: str, read: Callable[[int], None]) -> Hashed | None:
        """Return the digest of what stands at a place, or `None` when nothing does."""
        look, data = self.look(place), self._at(place)
        if look is None or data is None:
            return None
        read(len(data))
        return Hashed(digest_of(bytes(data), algorithm), look)

    async def read(self, digest: Digest, limit: int) -> bytes | None:
        """Return the first `limit` bytes of content; `None` when it is not there."""
        data = self._content.contents.get(digest)
        return None if data is None else data[:limit]

    def set_aside(self, place: str, seen: Look, name: str) -> str | None:
        """Move what was seen at a place to the quarantine, under `name` and a number; return where it is now."""
        data = self._at(place)
        if data is None or self.look(place) != seen:
            return None
        number = 1
        while f"{name}.{number}" in self.quarantine:
            number += 1
        self.quarantine[f"{name}.{number}"] = bytes(data)
        for digest in [digest for digest in self._content.contents if self.place(digest) == place]:
            del self._content.contents[digest]
        self._uploads.sessions.pop(place.removeprefix(_UPLOAD), None)
        return f"quarantine/{name}.{number}"

    def busy(self, session: str) -> bool:
        """Tell whether somebody writes to this session at the moment."""
        return session in self._uploads.busy

    def confirm(self, content: ContentRecord) -> bool:
        """Tell whether content has its name."""
        return len(self._content.contents.get(content.digest, b"")) == content.size > 0

    def protect(self, place: str) -> None:
        """Do nothing: there are no modes."""

    def _at(self, place: str) -> bytes | None:
        if place.startswith(_UPLOAD):
            return self._uploads.sessions.get(place.removeprefix(_UPLOAD))
        return next((data for digest, data in self._content.contents.items() if self.place(digest) == place), None)
