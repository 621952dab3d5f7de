"""Manifests: stored byte for byte, found by tag or digest, and checked for their parts when pushed."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import msgspec

from simple_registry.content import Content, InMemory
from simple_registry.faults import ContentGone
from simple_registry.oci.descriptors import Descriptor
from simple_registry.oci.digests import CANONICAL, Digest, digest_of
from simple_registry.oci.errors import (
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestUnknown,
    PartSizeInvalid,
    PreconditionFailed,
    RegistryError,
    Several,
    StillReferenced,
    TagIsProtected,
    Unavailable,
)
from simple_registry.oci.manifests import Manifest, parse_manifest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.operations.contents import Contents
from simple_registry.operations.manifest_cache import CACHE_SIZE, ManifestCache
from simple_registry.operations.pages import in_turns
from simple_registry.operations.quotas import Allowance, QuotaExceeded, Quotas
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.protection import TagGuard, refuse_moves
from simple_registry.storage.protocols.holdings import ManifestRows
from simple_registry.storage.protocols.tags import TagRows
from simple_registry.storage.quotas import OverQuota
from simple_registry.storage.records import (
    Actor,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    Part,
    PartsUnmet,
    Placed,
    StillNeeded,
    StoredManifest,
    TagProtected,
    UnmetPart,
)

__all__ = ["Manifests", "Pushed", "Required", "StoredManifest", "manifest_row"]

MAX_CACHED = 64 * 1024
"""Bytes of the largest manifest that is cached in memory; larger ones are sent from their files."""

MAX_LARGE_READS = 2
"""Larger manifests that each process verifies at the same time."""

MAX_INLINE = 64 * 1024
"""Bytes of the largest manifest that is parsed or hashed on the event loop; larger ones use a thread."""

MAX_LARGE_PUSHES = 1
"""Larger manifests that each process parses at the same time: one may need twenty times its size in memory."""

MAX_ANNOTATIONS = 64 * 1024
"""Bytes of a manifest's annotations, as JSON, that its row keeps for listings of referrers."""

PARTS_PER_TURN = 64
"""Parts whose content is checked before other requests get a turn."""

MAX_DELETE_ATTEMPTS = 10
"""Attempts at a deletion while tags of the manifest change."""

MAX_ERRORS = 100
"""Parts that one refusal names."""


@dataclass(frozen=True, slots=True)
class Required:
    """Which parts of a manifest must be in its repository when it is pushed."""

    blobs: bool = True
    children: bool = True


@dataclass(frozen=True, slots=True)
class Pushed:
    """The result of a push."""

    digest: Digest
    size: int
    subject: Digest | None
    tags: Mapping[Tag, Digest | None]
    """The tags that were set, with their previous targets."""


class Manifests:
    """The operations on manifests."""

    def __init__(
        self,
        rows: ManifestRows,
        tags: TagRows,
        contents: Contents,
        renewals: Renewals,
        required: Required | None,
        *,
        quotas: Quotas,
        keep_parts: bool,
    ) -> None:
        """Without `required` no part has to be there. With `keep_parts` one that is needed cannot be deleted."""
        self.keep_parts = keep_parts
        self._rows = rows
        self._tags = tags
        self._contents = contents
        self._renewals = renewals
        self._quotas = quotas
        self._required = required
        self._large_reads = asyncio.Semaphore(MAX_LARGE_READS)
        self._large_pushes = asyncio.Semaphore(MAX_LARGE_PUSHES)
        self.cache = ManifestCache(CACHE_SIZE)

    async def pull(self, repository: RepositoryName, reference: Reference) -> tuple[StoredManifest, Content]:
        """Return a manifest with its verified content; that of a large manifest stays in its file.

        A manifest whose file another program removed or changed counts as absent, so that clients push it again. The
        store is asked each time, so that all processes give the same answer, whatever they cache.

        Raises: ManifestUnknown.
        """
        row = await self._find(repository, reference)
        if row is None:
            raise ManifestUnknown(reference=str(reference))
        return row, await self._open(row)

    async def check(
        self, repository: RepositoryName, reference: Reference, *, may_push: Callable[[], bool]
    ) -> tuple[StoredManifest, Content]:
        """Return what `pull` does for a HEAD, by which clients decide what to push.

        The grace of an unneeded manifest is renewed, with that of all that ends with it.

        Raises: ManifestUnknown.
        """
        row, content = await self.pull(repository, reference)
        renewed = await self._renewals.renew(
            ("manifest", repository, row.digest),
            row.holding,
            may_push=may_push,
            write=partial(self._rows.renew_manifest, repository, row.digest),
        )
        if renewed and await self._rows.find_manifest(repository, row.digest) is None:
            raise ManifestUnknown(reference=str(reference))
        return row, content

    async def find_referring(self, repository: RepositoryName, digest: Digest) -> Digest | None:
        """Return a manifest of the repository that refers to this one, if there is one; `keep_parts` keeps it then."""
        return await self._rows.find_referring(repository, digest)

    async def total_size(self, repository: RepositoryName, digest: Digest, limit: int) -> int | None:
        """Return the bytes of a manifest and of all below it; `None` for more than `limit` contents."""
        return await self._rows.total_size(repository, digest, limit)

    async def _find(self, repository: RepositoryName, reference: Reference) -> StoredManifest | None:
        if isinstance(reference, Digest):
            return await self._rows.find_manifest(repository, reference)
        return await self._rows.find_tagged(repository, reference)

    async def _open(self, row: StoredManifest) -> Content:
        content = await self._contents.open(row.content)
        if content is None:
            raise ManifestUnknown(reference=str(row.digest))
        return self.cache.find(row.digest, content) or await self._verify(row, content)

    async def _verify(self, row: StoredManifest, content: Content) -> Content:
        """Return the content of a manifest whose bytes match its digest, in memory unless it is large."""
        if row.size > MAX_CACHED:
            # Bounds the memory for large manifests, however many clients ask for them at once.
            async with self._large_reads:
                await self._read_intact(row, content)
            self.cache.keep(row.digest, content, None)
            return content
        kept = InMemory(await self._read_intact(row, content))
        self.cache.keep(row.digest, content, kept)
        return kept

    async def _read_intact(self, row: StoredManifest, content: Content) -> bytes:
        """Return the bytes of a manifest.

        Raises: ManifestUnknown when they are damaged, or were removed during the read.
        """
        try:
            data = await content.read()
        except ContentGone as error:
            await self._contents.mark_damaged(row.content)
            raise ManifestUnknown(reference=str(row.digest), note=f"its content cannot be read: {error}") from error
        if not await _is_intact(row.digest, data):
            await self._contents.mark_damaged(row.content)
            raise ManifestUnknown(reference=str(row.digest), note="its content is damaged")
        return data

    def turn(self, size: int) -> AbstractAsyncContextManager[object]:
        """Return the turn to hold while a manifest of `size` bytes is pushed: large ones wait for each other."""
        return self._large_pushes if size > MAX_INLINE else nullcontext()

    async def put(
        self,
        repository: RepositoryName,
        reference: Reference,
        data: bytes,
        *,
        content_type: str | None,
        actor: Actor,
        tags: Sequence[Tag] = (),
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> Pushed:
        """Store a manifest and point the reference (and `tags`) at it, or change nothing. Called within its `turn`.

        `precondition` must hold for each tag, or for the digest when there are no tags; `guard` keeps tags from moving.

        Raises: DigestInvalid, ManifestInvalid, PreconditionFailed, TagIsProtected, QuotaExceeded, or Several with a
        ManifestBlobUnknown for each of up to `MAX_ERRORS` missing parts; when none is missing, with a PartSizeInvalid
        for each of a wrong size.
        """
        if not isinstance(reference, Digest):
            tags = (reference, *tags)
        if len(data) <= MAX_INLINE:
            row, parts = self._read(data, reference, content_type)
        else:
            row, parts = await asyncio.to_thread(self._read, data, reference, content_type)
        push = _Push(data, tags, precondition, row, parts, actor, guard, allowances)
        previous = await self._keep(repository, push)
        await self._quotas.warn(allowances)
        return Pushed(push.row.digest, push.row.size, push.row.subject, previous)

    async def delete(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        authorize: Callable[[Tag], None],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
    ) -> Sequence[Tag]:
        """Remove a manifest and the tags that point at it. Return the tags.

        `authorize` is called for each tag and raises to refuse; no tag is removed without it.

        Raises: ManifestUnknown, PreconditionFailed, TagIsProtected, StillReferenced, Unavailable when tags change too
        fast, and what `authorize` raises.
        """
        # Repeated when a tag came between the authorization and the transaction, which removes exactly these tags.
        for _attempt in range(MAX_DELETE_ATTEMPTS):
            tags = await self._tags.tags_of(repository, digest)
            await in_turns(tags, authorize)  # there may be any number of them
            match await self._rows.remove_manifest(
                repository,
                digest,
                tags=tags,
                actor=actor,
                precondition=precondition,
                guard=guard,
                unless_needed=self.keep_parts,
            ):
                case ManifestRemoved():
                    return tags
                case ManifestAbsent():
                    raise ManifestUnknown(reference=str(digest))
                case PreconditionUnmet() as unmet:
                    _require_met(unmet)
                case TagProtected(tag, rule):
                    raise TagIsProtected(tag, rule, "deleted")
                case StillNeeded(by):
                    raise StillReferenced(str(digest), str(by))
        raise Unavailable(note=f"tags of {digest} changed {MAX_DELETE_ATTEMPTS} times while it was being deleted")

    async def _keep(self, repository: RepositoryName, push: "_Push") -> Mapping[Tag, Digest | None]:
        """Store a manifest, and return the previous targets of its tags."""
        await self._require_allowed(repository, push)
        push = await self._with_parts(repository, push)
        match await self._put(repository, push):
            case ManifestStored(previous):
                return previous
            case PartsUnmet(parts):
                _require_parts(parts)
            case PreconditionUnmet() as unmet:
                _require_met(unmet)
            case TagProtected() as protected:
                _require_free(protected)
            case OverQuota() as over:
                raise QuotaExceeded(over)
        raise AssertionError("a manifest that is not stored is refused")

    async def _require_allowed(self, repository: RepositoryName, push: "_Push") -> None:
        """Refuse a push before anything is written; `put_manifest` checks again in its transaction."""
        if push.precondition == UNCONDITIONAL and push.guard is None:
            return
        targets = await self._targets(repository, push)
        _require_met(push.precondition.unmet(targets))
        moves = [(tag, target) for tag, (_, target) in zip(push.tags, targets, strict=False)]
        _require_free(refuse_moves(push.guard, moves, push.row.digest))

    async def _put(
        self, repository: RepositoryName, push: "_Push"
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | OverQuota:
        """Write the rows of a manifest, and before them its bytes, unless these are durable already."""

        async def confirm(
            placed: Placed | None, removals: int
        ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | ContentRemoved | OverQuota:
            return await self._rows.put_manifest(
                repository,
                push.row,
                place=None if placed is None else placed.place,
                stamp="" if placed is None else placed.stamp,
                removals=removals,
                tags=push.tags,
                parts=push.parts,
                actor=push.actor,
                precondition=push.precondition,
                guard=push.guard,
                allowances=push.allowances,
            )

        if await self._is_kept(push.row):
            outcome = await confirm(None, 0)
            if not isinstance(outcome, ContentRemoved):
                return outcome
        digest = push.row.digest
        return await self._contents.place(
            digest, publish=lambda: self._contents.put(digest, push.data), confirm=confirm
        )

    async def _with_parts(self, repository: RepositoryName, push: "_Push") -> "_Push":
        """Return a push whose parts exist, with the described sizes unless the repository holds the manifest already.

        A manifest stored before sizes were compared, or before the part was pushed, can still be tagged.

        Raises: Several.
        """
        found = await self._rows.find_parts(repository, push.parts)
        unmet = found.unmet
        if missing := await self._missing(found.held):
            # Read again, because a push may have healed them. A record that has not changed is missing, even if its row
            # is not marked, which a full disk prevents.
            found = await self._rows.find_parts(repository, push.parts)
            unmet = [*found.unmet, *_unmet_of(missing & set(found.held), push.parts)]
        if unmet and await self._rows.find_manifest(repository, push.row.digest) is not None:
            held = {each.described: replace(each.described, size=each.held) for each in unmet if each.held is not None}
            parts = [replace(part, content=held.get(part.content, part.content)) for part in push.parts]
            push = replace(push, parts=parts)
            unmet = [each for each in unmet if each.held is None]
        _require_parts(unmet)
        return push

    async def _missing(self, records: Sequence[ContentRecord]) -> set[ContentRecord]:
        """Return the contents whose bytes are missing, and mark their rows as damaged."""
        missing = set()
        for number, record in enumerate(records, 1):
            if not await self._contents.has(record):
                missing.add(record)
            if number % PARTS_PER_TURN == 0:
                await asyncio.sleep(0)  # an index may have many thousands; other requests get their turn
        return missing

    async def _targets(self, repository: RepositoryName, push: "_Push") -> Sequence[tuple[Reference, Digest | None]]:
        """Return the references that a push sets, with their present targets."""
        references: Sequence[Reference] = push.tags or (push.row.digest,)
        found = [await self._find(repository, reference) for reference in references]
        return [(name, None if row is None else row.digest) for name, row in zip(references, found, strict=True)]

    async def _is_kept(self, row: ManifestRow) -> bool:
        """Return whether the content is durable and intact already, so that a moved tag needs no disk space."""
        record = await self._contents.find(row.digest)
        if record is None or record.size != row.size:
            return False
        try:
            await self._open(replace(row.stored, place=record.place, version=record.version))
        except ManifestUnknown:
            return False
        return True

    def _read(
        self, data: bytes, reference: Reference, content_type: str | None
    ) -> tuple[ManifestRow, Sequence[DescribedPart]]:
        """Return the row of a manifest, and its parts."""
        digest = digest_of(data, reference.algorithm if isinstance(reference, Digest) else CANONICAL)
        if isinstance(reference, Digest) and digest != reference:
            raise DigestInvalid(expected=str(reference), actual=str(digest))
        manifest = parse_manifest(data, content_type)
        return manifest_row(digest, len(data), manifest), self._parts(manifest)

    def _parts(self, manifest: Manifest) -> Sequence[DescribedPart]:
        """Return the parts of a manifest, each once. Foreign layers and the subject may be absent."""
        if self._required is None:
            return ()
        optional = (*manifest.optional, *((manifest.subject,) if manifest.subject else ()))
        parts = (
            *_described(manifest.blobs, Part.BLOB, required=self._required.blobs),
            *_described(manifest.children, Part.CHILD, required=self._required.children),
            *_described(optional, Part.CHILD, required=False),
        )
        return tuple(dict.fromkeys(parts))


async def _is_intact(digest: Digest, data: bytes) -> bool:
    if len(data) > MAX_INLINE:
        return await asyncio.to_thread(digest_of, data, digest.algorithm) == digest
    return digest_of(data, digest.algorithm) == digest


@dataclass(frozen=True, slots=True)
class _Push:
    """A manifest during its push."""

    data: bytes
    tags: Sequence[Tag]
    precondition: Precondition
    row: ManifestRow
    parts: Sequence[DescribedPart]
    actor: Actor
    guard: TagGuard | None = None
    allowances: Sequence[Allowance] = ()


def _described(descriptors: Sequence[Descriptor], part: Part, *, required: bool) -> Iterator[DescribedPart]:
    return (DescribedPart(part, ContentRecord(each.digest, each.size), required) for each in descriptors)


def _unmet_of(missing: set[ContentRecord], parts: Sequence[DescribedPart]) -> Iterator[UnmetPart]:
    digests = {record.digest for record in missing}
    return (UnmetPart(each.content, None) for each in parts if each.required and each.content.digest in digests)


def _require_parts(unmet: Sequence[UnmetPart]) -> None:
    """Refuse a manifest whose parts are missing; if none is, one whose parts have other sizes."""
    absent = dict.fromkeys(islice((part.described.digest for part in unmet if part.held is None), MAX_ERRORS))
    missing: list[RegistryError] = [ManifestBlobUnknown(digest=str(digest)) for digest in absent]
    sizes: list[RegistryError] = [
        PartSizeInvalid(digest=str(part.described.digest), described=part.described.size, actual=part.held)
        for part in unmet[:MAX_ERRORS]
        if part.held is not None
    ]
    if errors := missing or sizes:
        raise Several(errors)


def _require_met(unmet: PreconditionUnmet | None) -> None:
    if unmet is not None:
        current = None if unmet.current is None else str(unmet.current)
        raise PreconditionFailed(reference=str(unmet.reference), current=current)


def _require_free(protected: TagProtected | None) -> None:
    if protected is not None:
        raise TagIsProtected(protected.tag, protected.rule, "moved")


def manifest_row(digest: Digest, size: int, manifest: Manifest) -> ManifestRow:
    """Return the row of a manifest."""
    parts = (*manifest.blobs, *manifest.optional, *manifest.children)
    return ManifestRow(
        digest=digest,
        size=size,
        media_type=manifest.media_type,
        artifact_type=manifest.artifact_type,
        annotations=kept_annotations(manifest.annotations),
        subject=manifest.subject.digest if manifest.subject else None,
        children=tuple(dict.fromkeys(part.digest for part in parts)),
    )


def kept_annotations(annotations: Mapping[str, str]) -> bytes:
    """Return annotations as a JSON object of at most `MAX_ANNOTATIONS` bytes; those that do not fit are dropped."""
    whole = msgspec.json.encode(annotations)
    if len(whole) <= MAX_ANNOTATIONS:
        return whole
    kept: dict[str, str] = {}
    room = MAX_ANNOTATIONS - len("{}")
    for key, value in annotations.items():
        size = len(msgspec.json.encode((key, value)))  # `["k","v"]` is one byte longer than `"k":"v",`
        if size <= room:
            kept[key] = value
            room -= size
    return msgspec.json.encode(kept)
