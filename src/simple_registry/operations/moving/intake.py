"""Content that is taken into repositories from files, by the operations that pushes use.

A blob that a repository holds already is not read again, so a broken-off run goes on where it ended.
"""

from collections.abc import Sequence

from simple_registry.content import ByteStream, Content
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import BlobUnknown, ManifestUnknown
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.manifests import Manifests
from simple_registry.operations.uploads import Chunk, Uploads
from simple_registry.storage.records import Actor


class Intake:
    """Takes blobs and manifests into repositories."""

    def __init__(
        self, blobs: Blobs, uploads: Uploads, manifests: Manifests, *, manifest_size: int, actor: Actor
    ) -> None:
        """Work through these operations, as `actor`. Manifests have up to `manifest_size` bytes."""
        self._blobs = blobs
        self._uploads = uploads
        self._manifests = manifests
        self.manifest_size = manifest_size
        self.actor = actor

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> Content | None:
        """Return a blob that the repository holds; it is kept for another grace."""
        try:
            await self._blobs.check(repository, digest, may_push=lambda: True)
            return (await self._blobs.open(repository, digest))[1]
        except BlobUnknown:
            return None

    async def has_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Return whether the repository holds a blob, perhaps from now on because another one does."""
        if await self.find_blob(repository, digest) is not None:
            return True
        mounted = await self._blobs.mount(repository, digest, source=None, visible=lambda _: True, actor=self.actor)
        return mounted is not None

    async def put_blob(self, repository: RepositoryName, digest: Digest, size: int, stream: ByteStream) -> None:
        """Make the repository hold a blob of these bytes.

        Raises: DigestInvalid, SizeInvalid, and what the stream raises.
        """
        await self._uploads.put(repository, digest, Chunk(stream, size=size), actor=self.actor)

    async def put_manifest(
        self, repository: RepositoryName, digest: Digest, data: bytes, *, media_type: str | None, tags: Sequence[Tag]
    ) -> bool:
        """Make the repository hold a manifest with these tags. Return whether that changed anything.

        Raises: as `Manifests.put`.
        """
        if await self._has_manifest(repository, digest, tags):
            return False
        async with self._manifests.turn(len(data)):
            await self._manifests.put(repository, digest, data, content_type=media_type, tags=tags, actor=self.actor)
        return True

    async def _has_manifest(self, repository: RepositoryName, digest: Digest, tags: Sequence[Tag]) -> bool:
        try:
            references: Sequence[Reference] = (digest, *tags)
            found = [await self._manifests.pull(repository, reference) for reference in references]
        except ManifestUnknown:
            return False
        return all(row.digest == digest for row, _ in found)
