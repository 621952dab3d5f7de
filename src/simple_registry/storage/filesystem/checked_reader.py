"""Content that is read to be copied: it is hashed on the way, and always as long as its record says."""

from collections.abc import Callable

from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.storage.filesystem.file_reader import READ_BYTES
from simple_registry.storage.inspection import ContentUnreadable
from simple_registry.storage.records import ContentRecord


class CheckedReader:
    """Reads content once, from its beginning; `damage` says afterwards whether it was whole."""

    def __init__(self, record: ContentRecord, read: Callable[[int], bytes]) -> None:
        """Read with `read`, which returns at most so many of the next bytes, and none at the end."""
        self._record = record
        self._read = read
        self._hasher = new_hasher(record.digest.algorithm)
        self._left = record.size
        self._damage: str | None = None

    def read(self, size: int = READ_BYTES) -> bytes:
        """Return `size` of the next bytes: zeros in the place of missing ones, none after the recorded size.

        The entry of a tar archive has its size before its bytes.
        """
        wanted = min(size, self._left)
        data = b""
        while len(data) < wanted and self._damage is None:
            data += self._next(wanted - len(data), len(data))
        self._hasher.update(data)
        self._left -= wanted
        return data.ljust(wanted, b"\0")

    def damage(self) -> str | None:
        """Return what was wrong with the bytes. All were read, and the file is still open."""
        if self._damage is None and self._read(1):
            self._damage = f"it has more than {self._record.size} bytes"
        actual = Digest(self._record.digest.algorithm, self._hasher.hexdigest())
        if self._damage is None and actual != self._record.digest:
            self._damage = f"its bytes hash to {actual}"
        return self._damage

    def _next(self, wanted: int, before: int) -> bytes:
        try:
            data = self._read(wanted)
        except ContentUnreadable as error:
            self._damage = str(error)
            return b""
        if not data:
            self._damage = f"it has {self._record.size - self._left + before} bytes of {self._record.size}"
        return data
