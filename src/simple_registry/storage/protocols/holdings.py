"""The rows of what repositories hold: blobs, and manifests with their parts and referrers."""

from collections.abc import Sequence
from typing import Protocol

from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
    BlobAbsent,
    BlobAdded,
    BlobRemoved,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    FoundParts,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    PartsUnmet,
    Place,
    StillNeeded,
    StoredBlob,
    StoredManifest,
    TagProtected,
    TagsChanged,
)


class BlobRows(Protocol):
    """The blobs of repositories."""

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob if this repository holds it, not deleted, and its content is whole."""

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold this blob, ordered by name, after `after`."""

    async def add_blob(
        self,
        repository: RepositoryName,
        content: ContentRecord,
        *,
        removals: int,
        actor: Actor,
        session: str | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> BlobAdded | ContentRemoved | OverQuota:
        """Make the repository, created if absent, hold a blob whose bytes were placed, and remove the session's row.

        `removals` is `ContentRows.removals()` from before they were placed. The blob counts for its actor, unless it
        counts for another one already. The call may be repeated. When the push is refused, placed bytes without a row
        get one, as condemned.
        """

    async def mount_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName,
        *,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord | OverQuota | None:
        """Make the repository hold a blob of `source`, as `add_blob` does.

        Returns `None`, and changes nothing, if `source` does not hold it at that moment or its content is not whole.
        """

    async def renew_blob(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event (asked or seen) to a holding. Return whether it changed anything.

        A power cut may undo the change.
        """

    async def remove_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        unless_needed: bool = False,
    ) -> BlobRemoved | BlobAbsent | PreconditionUnmet | StillNeeded:
        """Delete the blob from the repository if the precondition holds, for which damaged content counts as absent.

        With `unless_needed`, only if no manifest of the repository refers to it, except deleted ones.
        """


class ManifestRows(Protocol):
    """The manifests of repositories, their parts and their referrers."""

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it, not deleted, and its content is whole."""

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at; both are read in one transaction."""

    async def find_parts(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> FoundParts:
        """Return the parts that the repository holds, and those that it does not hold as described.

        Many parts are looked up in a thread.
        """

    async def find_referring(self, repository: RepositoryName, digest: Digest) -> Digest | None:
        """Return a manifest of the repository, not deleted, that refers to this content, if there is one."""

    async def total_size(self, repository: RepositoryName, digest: Digest, limit: int) -> int | None:
        """Return the bytes of a manifest and of all below it, each content once; `None` for more than `limit` contents.

        They are read in a thread.
        """

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        place: Place | None,
        stamp: str = "",
        removals: int,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | ContentRemoved | OverQuota:
        """Make the repository hold the manifest, and point `tags` at it, or change nothing. The call may be repeated.

        The manifest, and parts that did not count before, count for the actor.

        `place` is the place of its new bytes, with their `stamp`, and `removals` as in `add_blob`, or `None` if the
        content was whole already. `precondition` must hold for each tag, or for the manifest's digest if there are no
        tags; damaged manifests count as absent. Then no tag may move that `guard` keeps. When the push is refused,
        placed bytes without a row get one, as condemned.
        """

    async def remove_manifest(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        tags: Sequence[Tag],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        unless_needed: bool = False,
    ) -> ManifestRemoved | ManifestAbsent | PreconditionUnmet | TagProtected | StillNeeded | TagsChanged:
        """Delete the manifest from the repository, and remove `tags`, which must be all tags that point at it.

        `precondition` must hold for the digest; a damaged manifest counts as absent. Then `guard` must keep none of
        the tags; with `unless_needed`, no manifest of the repository may refer to it, except deleted ones. Parts that
        no other needed manifest refers to become unneeded.
        """

    async def renew_manifest(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event (asked or seen) to an unneeded manifest and all that ends with it: parts and referrers.

        Return whether it changed anything. A power cut may undo the change.
        """

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests of the repository with this subject, ordered by digest text, after `after`.

        Damaged ones, which cannot be read, are omitted. The page has about `size` bytes, but at least one manifest; it
        comes with whether more follow. No more rows are read, since clients decide their size.
        """
