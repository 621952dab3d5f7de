"""Import of OCI layouts: the manifests that the index names, their parts before them, each blob hashed as it is read.

    directory, file   read in any order: index ──► manifests, children first ──► their blobs, then themselves
    pipe              read once: each blob into the repository, then as above, with the repository as the layout

A manifest that is damaged, or lacks parts that it must have, is left out with the indexes that name it. Blobs that wait
for their manifest are kept by renewals of their grace, however long the layout takes to arrive.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from simple_registry.content import ByteStream, Content, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.errors import ManifestInvalid, RegistryError
from simple_registry.oci.layouts import (
    INDEX,
    MAX_INDEX_BYTES,
    LayoutInvalid,
    blob_path,
    parse_blob_path,
    parse_index,
    parse_name,
)
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.moving.intake import Intake
from simple_registry.operations.moving.tally import Tally, in_parallel, said
from simple_registry.operations.renewals import RENEWAL_INTERVAL
from simple_registry.periodic import repeat
from simple_registry.storage.sources import BytesDiffer, LayoutContent, LayoutSource, LayoutStream

Roots = Mapping[tuple[RepositoryName, Descriptor], Sequence[Tag]]
"""The manifests of an index, each with the repository that it goes into and its tags there."""


def roots_of(index: bytes, repository: RepositoryName | None) -> Roots:
    """Return the manifests that an index.json names, for one repository, or for those in the names.

    Raises: LayoutInvalid.
    """
    named = [(entry.descriptor, parse_name(entry.name)) for entry in parse_index(index)]
    repositories = {name.repository for _, name in named} - {None}
    if repository is not None and len(repositories) > 1:
        raise LayoutInvalid(f"{INDEX}: its names are of {len(repositories)} repositories; give no repository")
    roots: dict[tuple[RepositoryName, Descriptor], list[Tag]] = {}
    for descriptor, name in named:
        into = repository or name.repository
        if into is None:
            raise LayoutInvalid(f"{INDEX}: the name of {descriptor.digest} has no repository; give one")
        tags = roots.setdefault((into, descriptor), [])
        if name.tag is not None:
            tags.append(name.tag)
    return roots


class Importer:
    """Imports layouts."""

    def __init__(self, intake: Intake, tally: Tally, *, renew_every: float = RENEWAL_INTERVAL) -> None:
        """Import through `intake`; what cannot be imported is counted and reported by `tally`."""
        self._intake = intake
        self._tally = tally
        self._renew_every = renew_every
        self._waiting: set[tuple[RepositoryName, Digest]] = set()
        """The blobs that came, but whose manifest did not yet."""
        self._seen: set[tuple[RepositoryName, Digest]] = set()
        self._left_out: set[tuple[RepositoryName, Digest]] = set()

    async def run(self, layout: LayoutSource, repository: RepositoryName | None) -> None:
        """Import a layout into one repository, or into those that the names in its index give.

        Raises: LayoutInvalid, SourceInvalid, before anything is imported.
        """
        async with self._renewing():
            await self._import(layout, roots_of(await layout.index(), repository))

    async def receive(self, pipe: LayoutStream, repository: RepositoryName | None) -> None:
        """Import a layout that can be read only once.

        Without `repository`, its index must come first, and name only one.

        Raises: LayoutInvalid, SourceInvalid, after content may have come into the repository; it expires.
        """
        async with self._renewing():
            await self._receive(pipe, repository)

    async def _receive(self, pipe: LayoutStream, repository: RepositoryName | None) -> None:
        roots: Roots | None = None
        async for path, size, stream in pipe.entries():
            if path == INDEX:
                if size > MAX_INDEX_BYTES:
                    raise LayoutInvalid(f"{INDEX} has {size} bytes; up to {MAX_INDEX_BYTES} are read")
                index = b"".join([data async for data in stream])
                repository = repository or _only_repository(index)
                roots = roots_of(index, repository)
            elif (digest := parse_blob_path(path)) is not None:
                if repository is None:
                    raise LayoutInvalid(f"{INDEX} does not come first; give a repository, or import from a file")
                self._waiting.add((repository, digest))
                if not await self._intake.has_blob(repository, digest):
                    await self._put_blob(repository, digest, size, stream)
        if roots is None or repository is None:
            raise LayoutInvalid(f"it is no OCI layout: it has no {INDEX}")
        await self._import(_Received(self._intake, repository), roots)

    @asynccontextmanager
    async def _renewing(self) -> AsyncIterator[None]:
        """Renew, during the block, the grace of the blobs that wait for their manifest."""
        renewing = asyncio.create_task(repeat(self._renew, self._renew_every, "renewing the grace of blobs"))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.gather(renewing, return_exceptions=True)

    async def _renew(self) -> None:
        for repository, digest in tuple(self._waiting):
            await self._intake.find_blob(repository, digest)

    async def _import(self, layout: LayoutContent, roots: Roots) -> None:
        self._tally.repositories = len({repository for repository, _ in roots})
        for (repository, root), tags in roots.items():
            for descriptor in await self._in_order(layout, repository, root):
                await self._take(layout, repository, descriptor, tags if descriptor == root else ())

    async def _in_order(
        self, layout: LayoutContent, repository: RepositoryName, root: Descriptor
    ) -> Sequence[Descriptor]:
        """Return a root after all manifests below it that were not seen yet, children before their indexes."""
        order: list[Descriptor] = []
        unseen = [(root, False)]
        while unseen:
            descriptor, expanded = unseen.pop()
            if expanded:
                order.append(descriptor)
            elif (repository, descriptor.digest) not in self._seen:
                self._seen.add((repository, descriptor.digest))
                unseen.append((descriptor, True))
                unseen += [(child, False) for child in reversed(await self._children(layout, descriptor))]
        return order or [root]

    async def _children(self, layout: LayoutContent, descriptor: Descriptor) -> Sequence[Descriptor]:
        """Return the manifests of the layout that an index names; `_take` reports an index that cannot be read."""
        if descriptor.media_type not in media_types.IMAGE_INDEXES:
            return ()
        try:
            manifest = (await self._read(layout, descriptor))[1]
        except (LayoutInvalid, ManifestInvalid, StorageFault):
            return ()
        children = [child for child in manifest.children if _is_manifest(child)]
        return [child for child in children if await layout.open(child.digest) is not None]

    async def _take(
        self, layout: LayoutContent, repository: RepositoryName, descriptor: Descriptor, tags: Sequence[Tag]
    ) -> None:
        """Import one manifest, whose children were imported, and before it its blobs."""
        try:
            data, manifest = await self._read(layout, descriptor)
            self._require_children(repository, manifest)
            children = [child for child in manifest.children if not _is_manifest(child)]
            blobs = dict.fromkeys(blob.digest for blob in (*manifest.blobs, *children, *manifest.optional))
            await in_parallel(blobs, partial(self._take_blob, layout, repository))
            changed = await self._intake.put_manifest(
                repository, descriptor.digest, data, media_type=descriptor.media_type, tags=tags
            )
        except RegistryError as error:
            self._leave_out(repository, descriptor, said(error))
        except (LayoutInvalid, ContentGone, BytesDiffer) as error:
            self._leave_out(repository, descriptor, str(error))
        else:
            self._tally.count_manifest(changed=changed, tags=len(tags))
            self._waiting.difference_update((repository, digest) for digest in (*blobs, descriptor.digest))

    def _require_children(self, repository: RepositoryName, manifest: Manifest) -> None:
        """Refuse an index with a child that was left out: what came through a pipe would do as a blob."""
        for child in manifest.children:
            if (repository, child.digest) in self._left_out:
                raise LayoutInvalid(f"its child {child.digest} was left out")

    def _leave_out(self, repository: RepositoryName, descriptor: Descriptor, reason: str) -> None:
        self._left_out.add((repository, descriptor.digest))
        self._tally.defect(blob_path(descriptor.digest), reason)

    async def _take_blob(self, layout: LayoutContent, repository: RepositoryName, digest: Digest) -> None:
        """Import a blob; whether one that the layout lacks may be missing is decided with its manifest."""
        self._waiting.add((repository, digest))
        if await self._intake.has_blob(repository, digest):
            self._tally.count_blob(None)
        elif (content := await layout.open(digest)) is not None:
            await self._put_blob(repository, digest, content.size, content.stream(Span(0, content.size)))

    async def _put_blob(self, repository: RepositoryName, digest: Digest, size: int, stream: ByteStream) -> None:
        try:
            await self._intake.put_blob(repository, digest, size, stream)
        except RegistryError as error:
            self._tally.defect(blob_path(digest), said(error))
        except ContentGone as error:
            self._tally.defect(blob_path(digest), str(error))
        else:
            self._tally.count_blob(size)

    async def _read(self, layout: LayoutContent, descriptor: Descriptor) -> tuple[bytes, Manifest]:
        """Return a manifest of the layout, as bytes and parsed.

        Raises: LayoutInvalid, ManifestInvalid, and what reading raises.
        """
        if not _is_manifest(descriptor):
            raise LayoutInvalid(f"it is not a manifest, but {descriptor.media_type[:160]}")
        content = await layout.open(descriptor.digest)
        if content is None:
            raise LayoutInvalid("it is missing")
        if content.size > self._intake.manifest_size:
            raise LayoutInvalid(f"it has {content.size} bytes; a manifest has up to {self._intake.manifest_size}")
        data = await content.read()
        if (actual := digest_of(data, descriptor.digest.algorithm)) != descriptor.digest:
            raise LayoutInvalid(f"its bytes hash to {actual}")
        return data, parse_manifest(data, descriptor.media_type)


@dataclass(frozen=True, slots=True)
class _Received:
    """A layout whose content came through a pipe, into blobs of a repository."""

    intake: Intake
    repository: RepositoryName

    async def open(self, digest: Digest) -> Content | None:
        return await self.intake.find_blob(self.repository, digest)


def _only_repository(index: bytes) -> RepositoryName:
    repositories = {parse_name(entry.name).repository for entry in parse_index(index)}
    if len(repositories) == 1 and (repository := repositories.pop()) is not None:
        return repository
    raise LayoutInvalid(f"{INDEX}: its names give no repository, or several, which need a file or a directory")


def _is_manifest(descriptor: Descriptor) -> bool:
    return descriptor.media_type in media_types.MANIFESTS
