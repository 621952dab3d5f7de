"""Adoption of another registry's data directory: every blob, manifest and tag that it serves, byte for byte.

    repository by repository:  blobs (linked or copied, hashed) ──► manifests with their tags ──► ended parts again

What is broken there is reported and left out, and everything else is taken; a manifest that lacks parts was served by
the old registry, and so it is by this one. What is here already is skipped, so a run that broke off goes on.
"""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence, Set as AbstractSet
from typing import Protocol, TypeVar

from simple_registry.content import LocalFile
from simple_registry.faults import ContentGone
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import RegistryError
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.contents import Contents
from simple_registry.operations.moving.intake import Intake
from simple_registry.operations.moving.tally import Tally, in_parallel, said, verified
from simple_registry.storage.protocols.holdings import BlobRows
from simple_registry.storage.quotas import OverQuota
from simple_registry.storage.records import BlobAdded, ContentRecord, ContentRemoved, Placed
from simple_registry.storage.sources import (
    BytesDiffer,
    FileAdoption,
    Source,
    SourceDefect,
    SourceInvalid,
    SourceRepository,
    Transfer,
)

_Taken = TypeVar("_Taken")


class Taker(Protocol):
    """What becomes of content that the source serves."""

    async def take_blob(self, repository: RepositoryName, digest: Digest, file: LocalFile) -> bool:
        """Take a blob, unless the repository holds it. Return whether it was taken.

        Raises: BytesDiffer, ContentGone.
        """

    async def take_manifest(self, repository: RepositoryName, digest: Digest, data: bytes, tags: Sequence[Tag]) -> bool:
        """Take a manifest and its tags, unless the repository holds them. Return whether anything was taken."""


class StoreTaker:
    """Takes content into the stores of this registry."""

    def __init__(
        self, intake: Intake, blobs: BlobRows, contents: Contents, files: FileAdoption, transfer: Transfer
    ) -> None:
        """Take manifests through `intake`, which must not require their parts, and blobs as files."""
        self._intake = intake
        self._blobs = blobs
        self._contents = contents
        self._files = files
        self._transfer = transfer

    async def take_blob(self, repository: RepositoryName, digest: Digest, file: LocalFile) -> bool:
        """Take a blob, unless the repository holds it."""
        if await self._intake.has_blob(repository, digest):
            return False

        async def publish() -> Placed:
            return await self._files.adopt(file, digest, self._transfer)

        async def confirm(placed: Placed, removals: int) -> BlobAdded | ContentRemoved | OverQuota:
            return await self._blobs.add_blob(
                repository,
                ContentRecord(digest, file.size, placed.place, stamp=placed.stamp),
                removals=removals,
                actor=self._intake.actor,
            )

        await self._contents.place(digest, publish=publish, confirm=confirm)
        return True

    async def take_manifest(self, repository: RepositoryName, digest: Digest, data: bytes, tags: Sequence[Tag]) -> bool:
        """Take a manifest and its tags, unless the repository holds them."""
        return await self._intake.put_manifest(repository, digest, data, media_type=None, tags=tags)


class DryTaker:
    """Takes nothing, and verifies what would be taken."""

    def __init__(self) -> None:
        self._whole: set[Digest] = set()

    async def take_blob(self, repository: RepositoryName, digest: Digest, file: LocalFile) -> bool:  # noqa: ARG002
        """Verify a blob, unless another repository has it, too."""
        if digest in self._whole:
            return False
        async for _ in verified(file, digest, file.path):
            pass
        self._whole.add(digest)
        return True

    async def take_manifest(
        self,
        repository: RepositoryName,  # noqa: ARG002
        digest: Digest,  # noqa: ARG002
        data: bytes,  # noqa: ARG002
        tags: Sequence[Tag],  # noqa: ARG002
    ) -> bool:
        """Return `True`: the manifest was read and parsed."""
        return True


class Adopter:
    """Adopts the repositories of a source."""

    def __init__(self, taker: Taker, tally: Tally, *, manifest_size: int) -> None:
        """Let `taker` have what a source serves; manifests have up to `manifest_size` bytes."""
        self._taker = taker
        self._tally = tally
        self._manifest_size = manifest_size

    async def run(self, source: Source) -> None:
        """Adopt all repositories.

        Raises: StorageFault when this registry cannot take content, or not in this way.
        """
        repositories = source.repositories()
        while (found := await asyncio.to_thread(next, repositories, None)) is not None:
            if isinstance(found, SourceDefect):
                self._tally.defect(found.path, found.reason)
            else:
                await self._adopt(source, found)

    async def _adopt(self, source: Source, repository: SourceRepository) -> None:
        self._tally.repositories += 1
        self._tally.uploads += repository.uploads
        for defect in repository.defects:
            self._tally.defect(defect.path, defect.reason)
        served = {*repository.blobs, *repository.manifests}

        async def adopt_blob(digest: Digest) -> None:
            if not await self._adopt_blob(source, repository.name, digest):
                served.discard(digest)

        await in_parallel(repository.blobs, adopt_blob)
        tags = _by_digest(repository.tags)
        parts: set[Digest] = set()
        broken: set[Digest] = set()
        for digest in repository.manifests:
            found = await self._adopt_manifest(source, repository.name, digest, tags.pop(digest, ()), served)
            parts.update(found or ())
            if found is None:
                broken.add(digest)
        for digest, names in tags.items():
            for tag in names:
                self._tally.defect(f"{repository.name}:{tag}", f"it points at {digest}, which is no manifest there")
        await self._take_again(source, repository, parts & served - broken)

    async def _take_again(self, source: Source, repository: SourceRepository, parts: set[Digest]) -> None:
        """Take parts that the collector of a server ended before their manifests came, which keep them from now on.

        A repository may take longer than the grace.
        """
        name = repository.name
        for digest in parts.intersection(repository.manifests):
            await self._reporting(f"{name}@{digest}", self._take_manifest(source, name, digest, ()))

        async def take_blob(digest: Digest) -> None:
            await self._reporting(f"{name}@{digest}", self._take_blob(source, name, digest))

        await in_parallel(parts.intersection(repository.blobs), take_blob)

    async def _adopt_blob(self, source: Source, repository: RepositoryName, digest: Digest) -> bool:
        """Adopt a blob. Return whether its bytes are those of its digest."""
        found = await self._reporting(f"{repository}@{digest}", self._take_blob(source, repository, digest))
        if found is None:
            return False
        file, taken = found
        self._tally.count_blob(file.size if taken else None)
        return True

    async def _take_blob(self, source: Source, repository: RepositoryName, digest: Digest) -> tuple[LocalFile, bool]:
        """Take a blob. Return its file, and whether it was taken."""
        file = await asyncio.to_thread(source.find, repository, digest)
        if file is None:
            raise SourceInvalid(f"{repository}@{digest}", "its bytes are missing")
        return file, await self._taker.take_blob(repository, digest, file)

    async def _adopt_manifest(
        self,
        source: Source,
        repository: RepositoryName,
        digest: Digest,
        tags: Sequence[Tag],
        served: AbstractSet[Digest],
    ) -> Sequence[Digest] | None:
        """Adopt a manifest. Return its parts; `None` after a defect was reported, and it was not taken."""
        where = " ".join((f"{repository}@{digest}", *(f"{repository}:{tag}" for tag in tags)))
        taken = await self._reporting(where, self._take_manifest(source, repository, digest, tags))
        if taken is None:
            return None
        parts, changed = taken
        self._tally.count_manifest(changed=changed, tags=len(tags))
        if lacking := [str(part) for part in parts if part not in served]:
            self._tally.defect(where, f"it lacks parts there, and is taken without them: {' '.join(lacking)}")
        return parts

    async def _take_manifest(
        self, source: Source, repository: RepositoryName, digest: Digest, tags: Sequence[Tag]
    ) -> tuple[Sequence[Digest], bool]:
        """Take a manifest. Return its parts, and whether anything was taken."""
        data = await self._read_manifest(source, repository, digest)
        parts = _parts(parse_manifest(data, None))
        return parts, await self._taker.take_manifest(repository, digest, data, tags)

    async def _reporting(self, where: str, taking: Awaitable[_Taken]) -> _Taken | None:
        """Return what was taken; `None` after what prevented it was reported as a defect."""
        try:
            return await taking
        except RegistryError as error:
            self._tally.defect(where, said(error))
        except SourceInvalid as fault:
            self._tally.defect(where, fault.reason)
        except (BytesDiffer, ContentGone) as fault:
            self._tally.defect(where, str(fault))
        return None

    async def _read_manifest(self, source: Source, repository: RepositoryName, digest: Digest) -> bytes:
        """Return the bytes of a manifest. Raises: SourceInvalid, BytesDiffer, ContentGone."""
        file = await asyncio.to_thread(source.find, repository, digest)
        if file is None:
            raise SourceInvalid(repository, "its bytes are missing")
        if file.size > self._manifest_size:
            raise SourceInvalid(repository, f"it has {file.size} bytes; a manifest has up to {self._manifest_size}")
        return b"".join([piece async for piece in verified(file, digest, file.path)])


def _parts(manifest: Manifest) -> Sequence[Digest]:
    return list(dict.fromkeys(part.digest for part in (*manifest.blobs, *manifest.children)))


def _by_digest(tags: Mapping[Tag, Digest]) -> dict[Digest, list[Tag]]:
    found: dict[Digest, list[Tag]] = {}
    for tag, digest in sorted(tags.items()):
        found.setdefault(digest, []).append(tag)
    return found
