"""The stores of bytes: content by digest, and what upload sessions received."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from simple_registry.content import ByteStream, Content
from simple_registry.oci.digests import Digest
from simple_registry.storage.records import ContentRecord, Placed, Received


class ContentStore(Protocol):
    """Bytes by digest, shared by all repositories. Their existence gives no access: only a row does."""

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` if bytes of this size are not at its place.

        Opened content stays readable for the grace.

        Raises: StorageFault when all content is out of reach, as opposed to the absence of this one.
        """

    async def has(self, record: ContentRecord) -> bool:
        """Return whether bytes of this size are at its place. A store whose files only it changes may return `True`.

        Raises: StorageFault, as `open`.
        """

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Store small content durably, replacing damaged bytes. Return its place."""

    async def remove(self, record: ContentRecord) -> None:
        """Remove the bytes at a place, if there are any."""

    def check(self) -> None:
        """Raise StorageFault unless content can be found. Used by `/readyz`."""


class Condition(StrEnum):
    """Whether a store can be written to."""

    WRITABLE = "writable"
    FULL = "full"
    READ_ONLY = "read-only"


class UploadStore(Protocol):
    """Bytes of upload sessions. The received bytes of a session are a value (`Received`), which its row keeps.

    The caller holds the session (`SessionRows.hold`) during changes. A session without received bytes stores nothing.
    """

    def condition(self) -> Condition:
        """Return whether bytes can be written; this tries it. Used by `/readyz`."""

    def require_room(self) -> None:
        """Raise StorageFull or StorageReadOnly if a quick check shows that no upload can succeed."""

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the store has the received bytes."""

    async def extend(
        self, session: str, received: Received, algorithm: str, stream: ByteStream, *, last: bool = False
    ) -> Received:
        """Append a stream to the received bytes, durably. Return the new value, or `received` if the stream was empty.

        After a failure `received` is still true: later bytes do not count, and the next call replaces them. After
        `last`, `publish` or `discard` follows, and the bytes need not be durable before. Bytes that another process
        received are read once to hash them.

        Raises: SessionBytesMissing when the received bytes are missing, and what the stream raises.
        """

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Read the received bytes and return their digest in `algorithm`."""

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
        """Make the received bytes, whose digest was verified, durable under their final name in the content store.

        They replace present bytes, which may be damaged. A second call has no effect.

        Raises: SessionBytesMissing.
        """

    async def discard(self, session: str, received: Received) -> None:
        """Remove all bytes of the session, if there are any, also those beyond `received`."""

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time and not being written. They may still be open."""
