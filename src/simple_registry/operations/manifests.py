"""Manifests: kept byte for byte, found by tag or digest, checked for their parts when they come."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from simple_registry.content import BytesContent, Content, read_content
from simple_registry.oci.digests import CANONICAL, Digest, digest_of
from simple_registry.oci.errors import DigestInvalid, ManifestBlobUnknown, ManifestUnknown, Several, Unavailable
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.storage.protocols import Blob, ContentStore, ManifestRow, MetadataStore, Part, StoredManifest

CACHE_SIZE = 32 * 1024 * 1024
"""Bytes of manifests kept in memory by each process; by digest, so they never go stale."""

IN_MEMORY = 64 * 1024
"""Bytes of the largest manifest that is kept in memory and sent from there; larger ones are sent from their files."""

ENTRY_SIZE = 512
"""Bytes that an entry of the cache takes beside the manifest, roughly."""

LARGE_READS = 2
"""Larger manifests that each process reads at once, to compare them with their digests."""

READ_AT_ONCE = 256 * 1024
"""Bytes of the largest manifest that is parsed or hashed on the event loop; larger ones are in a thread."""

PUBLISH_ATTEMPTS = 3
"""The collector can take a file between its name and its row once; more often means that something is wrong."""

DELETE_ATTEMPTS = 10
"""How often the tags of a manifest may change while it is being deleted."""

LISTED = 100
"""Most missing parts that one refusal lists."""


@dataclass(frozen=True, slots=True)
class Required:
    """Which parts of a manifest must be in its repository when it is pushed."""

    blobs: bool = True
    children: bool = True


@dataclass(frozen=True, slots=True)
class Pushed:
    """What a push stored."""

    digest: Digest
    size: int
    subject: Digest | None
    tags: Mapping[Tag, Digest | None]
    """The tags that were set, with what each pointed at before."""


class Manifests:
    """The operations on manifests."""

    def __init__(self, rows: MetadataStore, content: ContentStore, required: Required) -> None:
        """Work on these stores, and ask pushed manifests for the `required` parts."""
        self._rows = rows
        self._content = content
        self._required = required
        self._large_reads = asyncio.Semaphore(LARGE_READS)
        self.cache = ManifestCache(CACHE_SIZE)

    def get(self, repository: RepositoryName, reference: Reference) -> StoredManifest:
        """Return the manifest that the tag points at, or that has the digest.

        Raises: ManifestUnknown.
        """
        if isinstance(reference, Digest):
            row = self._rows.find_manifest(repository, reference)
        else:
            row = self._rows.find_tagged(repository, reference)
        if row is None:
            raise ManifestUnknown(reference=str(reference))
        return row

    async def open(self, row: StoredManifest) -> Content:
        """Return the content of a manifest that `get` gave, whose bytes hash to its digest: a large one in its file.

        A manifest whose file somebody removed or changed behind our back counts as absent, so that clients push it
        again. The file is asked for every time: all processes give the same answer, whatever they remember.

        Raises: ManifestUnknown, also when the manifest went in between.
        """
        content = await self._content.open(row.digest)
        if content is None or content.size != row.size:
            raise ManifestUnknown(reference=str(row.digest), note="its row stands but its content is gone or damaged")
        kept = self.cache.find(row.digest, content)
        if kept is None:
            kept = await self._verify(row, content)
            self.cache.keep(row.digest, content, kept)
        return kept

    async def _verify(self, row: StoredManifest, content: Content) -> Content:
        """Return the content of a manifest as it is kept, once its bytes have been compared with its digest."""
        if row.size <= IN_MEMORY:
            return BytesContent(await _read_intact(row, content))
        # Many clients that ask for large manifests at once must not have as many of them read into memory.
        async with self._large_reads:
            await _read_intact(row, content)
        return content

    async def put(
        self,
        repository: RepositoryName,
        reference: Reference,
        data: bytes,
        *,
        content_type: str | None,
        tags: Sequence[Tag] = (),
    ) -> Pushed:
        """Store a manifest and point the reference (and `tags`) at it, or change nothing.

        Raises: DigestInvalid, ManifestInvalid, ManifestBlobUnknown for each missing part, up to `LISTED` (in Several).
        """
        if not isinstance(reference, Digest):
            tags = (reference, *tags)
        if len(data) > READ_AT_ONCE:
            row, required = await asyncio.to_thread(self._read, data, reference, content_type)
        else:
            row, required = self._read(data, reference, content_type)
        moved = await self._keep(repository, row, data, tags, required)
        return Pushed(row.digest, row.size, row.subject, moved)

    async def delete(
        self, repository: RepositoryName, digest: Digest, *, insist: Callable[[Tag], None]
    ) -> Sequence[Tag]:
        """Remove a manifest and the tags that point at it, each of which `insist` lets go, or raises. Returns the tags.

        No tag goes that `insist` was not asked about: when one came in between, all are asked about again.

        Raises: ManifestUnknown, Unavailable when tags come too fast, and what `insist` raises.
        """
        for _attempt in range(DELETE_ATTEMPTS):
            tags = self._rows.tags_of(repository, digest)
            for tag in tags:
                insist(tag)
            removed = await self._rows.remove_manifest(repository, digest, tags=tags)
            if removed is not None:
                if not removed:
                    raise ManifestUnknown(reference=str(digest))
                return tags
        raise Unavailable(note=f"tags of {digest} changed {DELETE_ATTEMPTS} times while it was being deleted")

    async def _keep(
        self,
        repository: RepositoryName,
        row: ManifestRow,
        data: bytes,
        tags: Sequence[Tag],
        required: Sequence[tuple[Part, Digest]],
    ) -> Mapping[Tag, Digest | None]:
        """Keep a manifest, and return what its tags pointed at before."""
        moved: dict[Tag, Digest | None] = {}
        # Before anything is written; `put_manifest` asks again in its transaction.
        _refuse_missing(await self._rows.missing_parts(repository, required, present=self._content.present))
        blob = Blob(row.digest, row.size)
        kept = await self._stands(row)
        for _attempt in range(PUBLISH_ATTEMPTS):
            placed = None if kept else await self._content.put(row.digest, data)
            kept = False
            missing = await self._rows.put_manifest(
                repository,
                row,
                tags=tags,
                required=required,
                present=partial(self._content.vouch, blob, placed),
                moved=moved.__setitem__,
            )
            if missing is not None:
                _refuse_missing(missing)
                return moved
        raise Unavailable(note=f"content of {row.digest} vanished {PUBLISH_ATTEMPTS} times")

    async def _stands(self, row: ManifestRow) -> bool:
        """Tell whether the content is durable and intact already: then moving a tag needs no room on the disk."""
        if not self._rows.known(row.digest):
            return False
        try:
            await self.open(row.stored)
        except ManifestUnknown:
            return False
        return True

    def _read(
        self, data: bytes, reference: Reference, content_type: str | None
    ) -> tuple[ManifestRow, Sequence[tuple[Part, Digest]]]:
        """Return what is to be kept of a manifest, and the parts it requires."""
        digest = digest_of(data, reference.algorithm if isinstance(reference, Digest) else CANONICAL)
        if isinstance(reference, Digest) and digest != reference:
            raise DigestInvalid(expected=str(reference), actual=str(digest))
        manifest = parse_manifest(data, content_type)
        return manifest_row(digest, len(data), manifest), self._required_parts(manifest)

    def _required_parts(self, manifest: Manifest) -> Sequence[tuple[Part, Digest]]:
        blobs = manifest.blobs if self._required.blobs else ()
        children = manifest.children if self._required.children else ()
        parts = [(Part.BLOB, blob.digest) for blob in blobs] + [(Part.CHILD, child.digest) for child in children]
        return tuple(dict.fromkeys(parts))


async def _read_intact(row: StoredManifest, content: Content) -> bytes:
    """Return the content of a manifest.

    Raises: ManifestUnknown when it is damaged, or went while it was read.
    """
    try:
        data = await read_content(content)
    except OSError as error:
        note = f"its row stands but its content cannot be read: {error}"
        raise ManifestUnknown(reference=str(row.digest), note=note) from error
    digest, algorithm = row.digest, row.digest.algorithm
    large = len(data) > READ_AT_ONCE
    actual = await asyncio.to_thread(digest_of, data, algorithm) if large else digest_of(data, algorithm)
    if actual != digest:
        raise ManifestUnknown(reference=str(digest), note="its row stands but its content is damaged")
    return data


def _refuse_missing(missing: Sequence[Digest]) -> None:
    if missing:
        raise Several([ManifestBlobUnknown(digest=str(digest)) for digest in missing[:LISTED]])


def manifest_row(digest: Digest, size: int, manifest: Manifest) -> ManifestRow:
    """Return what is kept of a manifest."""
    parts = (*manifest.blobs, *manifest.optional, *manifest.children)
    return ManifestRow(
        digest=digest,
        size=size,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        annotations=manifest.annotations,
        subject=manifest.subject.digest if manifest.subject else None,
        children=tuple(dict.fromkeys(part.digest for part in parts)),
    )


class ManifestCache:
    """Manifests that were found intact, for as long as their content is the same file, bounded by bytes."""

    def __init__(self, capacity: int) -> None:
        """Keep up to `capacity` bytes."""
        self._capacity = capacity
        self._size = 0
        self.hits = 0
        self.misses = 0
        self._entries: OrderedDict[Digest, tuple[Content, Content]] = OrderedDict()

    def find(self, digest: Digest, content: Content) -> Content | None:
        """Return a manifest that is kept, if it was read from this content."""
        known, kept = self._entries.get(digest, (None, None))
        if known != content:
            self.misses += 1
            return None
        self.hits += 1
        self._entries.move_to_end(digest)
        return kept

    def keep(self, digest: Digest, content: Content, kept: Content) -> None:
        """Keep a manifest that was read from `content`, and drop those that were not asked for the longest."""
        if _weight(kept) > self._capacity:
            return
        _known, earlier = self._entries.pop(digest, (None, None))
        self._entries[digest] = (content, kept)
        self._size += _weight(kept) - (0 if earlier is None else _weight(earlier))
        while self._size > self._capacity:
            _digest, (_content, dropped) = self._entries.popitem(last=False)
            self._size -= _weight(dropped)


def _weight(kept: Content) -> int:
    """Return the bytes that an entry of the cache takes: those of the manifest, unless it stays in its file."""
    return ENTRY_SIZE + (kept.size if isinstance(kept, BytesContent) else 0)
