"""Blobs: read, mounted and deleted, always by the row of their repository."""

from collections.abc import Callable, Sequence
from functools import partial

from simple_registry.content import Content
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import BlobUnknown, PreconditionFailed, StillReferenced
from simple_registry.oci.names import RepositoryName
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.operations.contents import Contents
from simple_registry.operations.quotas import Allowance, require_within
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.protocols.holdings import BlobRows
from simple_registry.storage.records import Actor, BlobAbsent, ContentRecord, StillNeeded

__all__ = ["Actor", "Blobs", "ContentRecord", "Visible"]

Visible = Callable[[RepositoryName], bool]
"""Whether the caller may know what a repository holds."""

MAX_HOLDERS = 1000
"""Repositories with the blob that a mount without a source checks; after them the client must upload."""


class Blobs:
    """The operations on blobs."""

    def __init__(self, rows: BlobRows, contents: Contents, renewals: Renewals, *, keep_parts: bool) -> None:
        """With `keep_parts`, what a needed manifest refers to cannot be deleted."""
        self._rows = rows
        self._keep_parts = keep_parts
        self._contents = contents
        self._renewals = renewals

    async def open(self, repository: RepositoryName, digest: Digest) -> tuple[ContentRecord, Content]:
        """Return the record and the content of a blob.

        One whose bytes are missing counts as absent, so that clients push it again.

        Raises: BlobUnknown.
        """
        blob = await self._rows.find_blob(repository, digest)
        content = None if blob is None else await self._contents.open_checked(blob.content)
        if blob is None or content is None:
            raise BlobUnknown(digest=str(digest))
        return blob.content, content

    async def check(self, repository: RepositoryName, digest: Digest, *, may_push: Callable[[], bool]) -> ContentRecord:
        """Return the record of a blob for a HEAD, by which clients decide what to push.

        The grace of an unneeded blob is renewed.

        Raises: BlobUnknown, Unavailable.
        """
        blob = await self._rows.find_blob(repository, digest)
        if blob is None or not await self._contents.has(blob.content):
            raise BlobUnknown(digest=str(digest))
        renewed = await self._renewals.renew(
            ("blob", repository, digest),
            blob.holding,
            may_push=may_push,
            write=partial(self._rows.renew_blob, repository, digest),
        )
        if renewed and await self._rows.find_blob(repository, digest) is None:
            raise BlobUnknown(digest=str(digest))
        return blob.content

    async def mount(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        source: RepositoryName | None,
        visible: Visible,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord | None:
        """Make `repository` hold a blob of `source`, or of any repository that the caller may read.

        Returns `None` when none of them holds it with its bytes; the client then uploads it. The result reveals nothing
        about repositories that the caller may not read.

        Raises: QuotaExceeded.
        """
        holders = (source,) if source is not None else await self._rows.page_holders(digest, None, MAX_HOLDERS)
        for holder in holders:
            if visible(holder):
                blob = await self._rows.find_blob(holder, digest)
                if blob is not None and await self._contents.has(blob.content):
                    mounted = await self._rows.mount_blob(
                        repository, digest, holder, actor=actor, allowances=allowances
                    )
                    if isinstance(mounted, ContentRecord):
                        return mounted
                    require_within(mounted)
        return None

    async def delete(
        self, repository: RepositoryName, digest: Digest, *, actor: Actor, precondition: Precondition = UNCONDITIONAL
    ) -> None:
        """Delete the blob from the repository; other repositories keep theirs.

        Raises: BlobUnknown, PreconditionFailed, StillReferenced.
        """
        match await self._rows.remove_blob(
            repository, digest, actor=actor, precondition=precondition, unless_needed=self._keep_parts
        ):
            case BlobAbsent():
                raise BlobUnknown(digest=str(digest))
            case PreconditionUnmet(current=current):
                raise PreconditionFailed(reference=str(digest), current=None if current is None else str(current))
            case StillNeeded(by):
                raise StillReferenced(str(digest), str(by))
