"""What pages read of one repository: manifests, small blobs, and what lists show of a manifest.

A digest means the same content for ever, so what lists show of it is kept, and a list of known manifests reads none.
"""

from dataclasses import dataclass

from simple_registry.access.permission import Resource, scope_of
from simple_registry.faults import ContentGone
from simple_registry.http.call import Call
from simple_registry.http.targets import Target
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import BlobUnknown, ManifestUnknown
from simple_registry.oci.names import Reference, RepositoryName
from simple_registry.operations.manifests import StoredManifest
from simple_registry.ui.image_configs import MAX_SIZE, UNREADABLE, ImageConfig, read_image_config
from simple_registry.ui.json_text import MAX_SHOWN, is_text, shown_text
from simple_registry.ui.kinds import Described, Kind
from simple_registry.ui.manifest_documents import Entry, ManifestDocument, read_manifest

MAX_PARTS = 10_000
"""Contents below a manifest that are summed up for its size."""

MAX_PLATFORMS = 12
"""Platforms of an index that lists show."""

MAX_PLATFORM = 80
"""Characters of a platform that are kept."""

MAX_TEXTS = 256 * 1024
"""Bytes of all small contents together that one page shows: indented and escaped they take a multiple of that."""

ENTRY_SIZE = 400
"""Approximate bytes of what is kept of a manifest, without its texts."""


@dataclass(frozen=True, slots=True)
class Overview:
    """What lists show of a manifest: its kind, the bytes of all below it (`None` if they are too many), platforms."""

    described: Described
    size: int | None
    platforms: tuple[str, ...]

    @property
    def cost(self) -> int:
        """The bytes that it takes in the cache."""
        return ENTRY_SIZE + len(self.described.type) + sum(map(len, self.platforms))


@dataclass(frozen=True, slots=True)
class ReadManifest:
    """A manifest: its row, its bytes, and what they say."""

    row: StoredManifest
    data: bytes
    document: ManifestDocument


class Reading:
    """Reads one repository for a call, whose caller may pull what it asks for."""

    def __init__(self, call: Call[Target], repository: RepositoryName) -> None:
        """Read blobs only if the caller may."""
        self._registry = call.registry
        self._repository = repository
        self.reads_digests = call.can("GET", Resource.MANIFESTS, scope_of(repository))
        """Whether the caller may pull manifests by digest, not only some tags."""
        self._reads_blobs = call.can("GET", Resource.BLOBS, scope_of(repository))
        self._room = MAX_TEXTS

    async def manifest(self, reference: Reference) -> ReadManifest:
        """Return a manifest.

        Raises: ManifestUnknown.
        """
        row, content = await self._registry.manifests.pull(self._repository, reference)
        try:
            data = await content.read()
        except ContentGone as error:
            raise ManifestUnknown(reference=str(reference), note=str(error)) from error
        return ReadManifest(row, data, read_manifest(data, row.media_type))

    async def blob(self, digest: Digest, limit: int) -> bytes | None:
        """Return a blob of at most `limit` bytes; `None` for a larger one, or where it cannot be read."""
        if not self._reads_blobs:
            return None
        try:
            record, content = await self._registry.blobs.open(self._repository, digest)
            return await content.read() if record.size <= limit else None
        except (BlobUnknown, ContentGone):
            return None

    async def text(self, entry: Entry) -> str | None:
        """Return a small content as text; `None` for any other, and where the page has enough of them already."""
        limit = min(MAX_SHOWN, self._room)
        if not is_text(entry.media_type) or entry.size > limit:
            return None
        data = await self.blob(entry.digest, limit)
        self._room -= len(data or b"")
        return None if data is None else shown_text(data)

    async def config(self, document: ManifestDocument) -> ImageConfig:
        """Return the config of an image, as far as it can be read."""
        if document.described.kind is not Kind.IMAGE or document.config is None:
            return UNREADABLE
        data = await self.blob(document.config.digest, MAX_SIZE)
        return UNREADABLE if data is None else read_image_config(data)

    async def overview(self, digest: Digest) -> Overview | None:
        """Return what lists show of a manifest; `None` if it cannot be read."""
        cache, key = self._registry.seen_by_pages, (self._repository, digest, self._reads_blobs)
        known = cache.find(key)
        if isinstance(known, Overview):
            return known
        try:
            read = await self.manifest(digest)
        except ManifestUnknown:
            return None
        overview = await self._overview(read)
        cache.keep(key, overview, overview.cost)
        return overview

    async def _overview(self, read: ReadManifest) -> Overview:
        document = read.document
        if document.children:
            size = await self._registry.manifests.total_size(self._repository, read.row.digest, MAX_PARTS)
            platforms = dict.fromkeys(str(each)[:MAX_PLATFORM] for each in document.platforms)
            return Overview(document.described, size, tuple(platforms)[:MAX_PLATFORMS])
        platform = str((await self.config(document)).platform)[:MAX_PLATFORM]
        return Overview(document.described, read.row.size + document.size, (platform,) if platform else ())
