"""Export of repositories into an OCI layout: manifests, what they name, and what refers to them; verified while read.

    selected tags and digests ──► referrers, children, blobs of each ──► layout, each content once

Every selected tag is an entry of the index, by its name; so is each referrer, without one. With several repositories
all names begin with the repository.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

from simple_registry.content import ByteStream, Content
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import BlobUnknown, ManifestInvalid, ManifestUnknown
from simple_registry.oci.layouts import INDEX, MARKER, MARKER_TEXT, Entry, blob_path, encode_index
from simple_registry.oci.manifests import parse_manifest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.operations.blobs import Blobs
from simple_registry.operations.manifests import Manifests
from simple_registry.operations.moving.tally import Tally, said, verified
from simple_registry.operations.tags import Tags
from simple_registry.storage.protocols.holdings import ManifestRows
from simple_registry.storage.sources import BytesDiffer, LayoutTarget

PAGE = 250
REFERRERS_BYTES = 1024 * 1024
"""Bytes of a page of referrers."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A repository, or one manifest of it."""

    repository: RepositoryName
    reference: Reference | None = None


@dataclass(frozen=True, slots=True)
class _Part:
    """A blob of the export: the repository where it is read, and whether a manifest requires it."""

    repository: RepositoryName
    required: bool


@dataclass(slots=True)
class _Plan:
    """What an export holds: the roots, which are entries of the index, with their names, and all content."""

    several: bool
    roots: dict[tuple[RepositoryName, Descriptor], list[str]] = field(default_factory=dict)
    manifests: dict[Digest, RepositoryName] = field(default_factory=dict)
    blobs: dict[Digest, _Part] = field(default_factory=dict)
    seen: set[tuple[RepositoryName, Digest]] = field(default_factory=set)

    def add_root(self, repository: RepositoryName, descriptor: Descriptor, tag: str | None) -> None:
        """Add an entry of the index; without a tag only if there is none yet."""
        names = self.roots.setdefault((repository, descriptor), [])
        if tag is not None:
            names.append(f"{repository}:{tag}" if self.several else tag)

    def entries(self) -> Iterator[Entry]:
        """Yield the entries of the index."""
        for (repository, descriptor), names in self.roots.items():
            unnamed: list[str | None] = [f"{repository}@{descriptor.digest}" if self.several else None]
            yield from (Entry(descriptor, name) for name in names or unnamed)


class Exporter:
    """Exports repositories."""

    def __init__(self, manifests: Manifests, rows: ManifestRows, blobs: Blobs, tags: Tags, tally: Tally) -> None:
        """Read through these operations; what cannot be exported is counted and reported by `tally`."""
        self._manifests = manifests
        self._rows = rows
        self._blobs = blobs
        self._tags = tags
        self._tally = tally

    async def run(self, selections: Sequence[Selection], target: LayoutTarget) -> None:
        """Export what is selected.

        Raises: NameUnknown, ManifestUnknown, before anything is written; and what `target` raises. Bytes that are not
        those of their digest are a defect, but raise StorageFault in an archive, which cannot take them back.
        """
        plan = await self._plan(selections)
        index = encode_index(plan.entries())
        await target.add(MARKER, len(MARKER_TEXT), _stream_of(MARKER_TEXT))
        if target.index_first:
            await target.add(INDEX, len(index), _stream_of(index))
        for digest, repository in plan.manifests.items():
            await self._write_manifest(repository, digest, target)
        for digest, part in plan.blobs.items():
            await self._write_blob(digest, part, target)
        if not target.index_first:
            await target.add(INDEX, len(index), _stream_of(index))

    async def _plan(self, selections: Sequence[Selection]) -> _Plan:
        repositories = {selection.repository for selection in selections}
        self._tally.repositories = len(repositories)
        plan = _Plan(several=len(repositories) > 1)
        for selection in selections:
            reference = selection.reference
            if reference is not None:
                await self._add_root(plan, selection.repository, reference)
                continue
            async for tag in self._all_tags(selection.repository):
                try:
                    await self._add_root(plan, selection.repository, tag)
                except ManifestUnknown as error:
                    self._tally.defect(f"{selection.repository}:{tag}", said(error))
        return plan

    async def _all_tags(self, repository: RepositoryName) -> AsyncIterator[Tag]:
        last: Tag | None = None
        more = True
        while more:
            page = await self._tags.page(repository, last=last, limit=PAGE, visible=lambda _: True)
            for tag in page.items:
                yield tag
            last, more = (page.items[-1], page.more) if page.items else (None, False)

    async def _add_root(self, plan: _Plan, repository: RepositoryName, reference: Reference) -> None:
        row, _ = await self._manifests.pull(repository, reference)
        descriptor = Descriptor(row.media_type, row.digest, row.size)
        plan.add_root(repository, descriptor, None if isinstance(reference, Digest) else reference)
        self._tally.tags += not isinstance(reference, Digest)
        await self._add_below(plan, repository, descriptor)

    async def _add_below(self, plan: _Plan, repository: RepositoryName, root: Descriptor) -> None:
        """Add a manifest with its children and its referrers, at any depth, and all their blobs."""
        unseen = [root]
        while unseen:
            descriptor = unseen.pop()
            if (repository, descriptor.digest) in plan.seen:
                continue
            plan.seen.add((repository, descriptor.digest))
            try:
                unseen += await self._add_manifest(plan, repository, descriptor)
            except (ManifestUnknown, ManifestInvalid) as error:
                self._tally.defect(f"{repository}@{descriptor.digest}", said(error))

    async def _add_manifest(
        self, plan: _Plan, repository: RepositoryName, descriptor: Descriptor
    ) -> Sequence[Descriptor]:
        """Add a manifest and its blobs. Return its children and referrers.

        Raises: ManifestUnknown, ManifestInvalid.
        """
        row, content = await self._manifests.pull(repository, descriptor.digest)
        manifest = parse_manifest(await content.read(), row.media_type)
        plan.manifests.setdefault(descriptor.digest, repository)
        children = [child for child in manifest.children if child.media_type in media_types.MANIFESTS]
        for blob in (*manifest.blobs, *manifest.children):
            if blob not in children:
                plan.blobs[blob.digest] = _Part(repository, required=True)
        for blob in manifest.optional:
            plan.blobs.setdefault(blob.digest, _Part(repository, required=False))
        async for referrer in self._referrers(repository, descriptor.digest):
            plan.add_root(repository, referrer, None)
            children.append(referrer)
        return children

    async def _referrers(self, repository: RepositoryName, subject: Digest) -> AsyncIterator[Descriptor]:
        after: Digest | None = None
        more = True
        while more:
            rows, more = await self._rows.page_referrers(
                repository, subject, artifact_type=None, after=after, size=REFERRERS_BYTES
            )
            for row in rows:
                yield Descriptor(row.media_type, row.digest, row.size)
                after = row.digest

    async def _write_manifest(self, repository: RepositoryName, digest: Digest, target: LayoutTarget) -> None:
        try:
            _, content = await self._manifests.pull(repository, digest)
        except ManifestUnknown as error:
            self._tally.defect(f"{repository}@{digest}", said(error))
        else:
            if await self._write(f"{repository}@{digest}", digest, content, target):
                self._tally.count_manifest(changed=True, tags=0)

    async def _write_blob(self, digest: Digest, part: _Part, target: LayoutTarget) -> None:
        try:
            _, content = await self._blobs.open(part.repository, digest)
        except BlobUnknown as error:
            if part.required:
                self._tally.defect(f"{part.repository}@{digest}", said(error))
        else:
            if await self._write(f"{part.repository}@{digest}", digest, content, target):
                self._tally.count_blob(content.size)

    async def _write(self, where: str, digest: Digest, content: Content, target: LayoutTarget) -> bool:
        """Write content into the layout. Return whether it was written by this run."""
        path = blob_path(digest)
        if await target.has(path, content.size):
            self._tally.present += 1
            return False
        try:
            await target.add(path, content.size, verified(content, digest, where))
        except (BytesDiffer, ContentGone) as fault:
            if target.index_first:
                raise StorageFault(f"export {where}", fault) from fault
            self._tally.defect(where, str(fault))
            return False
        return True


async def _stream_of(data: bytes) -> ByteStream:
    yield data
