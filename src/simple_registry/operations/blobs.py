"""Reading, mounting and deleting blobs. Every answer rests on the row of the repository asked about."""

from collections.abc import Callable

from simple_registry.content import Content
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import BlobUnknown, PreconditionFailed
from simple_registry.oci.names import RepositoryName
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition
from simple_registry.storage.protocols import BlobRows, ContentStore
from simple_registry.storage.records import Blob

__all__ = ["Blob", "Blobs", "Visible"]

Visible = Callable[[RepositoryName], bool]
"""Whether the caller may know what a repository holds."""

HOLDERS_ASKED = 1000
"""How many holders of a blob an anonymous mount looks at before it gives up; a plain upload follows then."""


class Blobs:
    """The operations on blobs."""

    def __init__(self, rows: BlobRows, content: ContentStore) -> None:
        """Work on these stores."""
        self._rows = rows
        self._content = content

    async def open(self, repository: RepositoryName, digest: Digest) -> Content:
        """Return what the repository holds under this digest.

        A blob whose file somebody removed or cut behind our back counts as absent, so that clients push it again.

        Raises: BlobUnknown.
        """
        blob = await self._rows.find_blob(repository, digest)
        if blob is None:
            raise BlobUnknown(digest=str(digest))
        content = await self._content.open(digest)
        if content is None or content.size != blob.size:
            raise BlobUnknown(digest=str(digest), note="its row stands but its content is gone or damaged")
        return content

    async def mount(
        self, repository: RepositoryName, digest: Digest, *, source: RepositoryName | None, visible: Visible
    ) -> Blob | None:
        """Make `repository` hold a blob that `source`, or any repository the caller may read, holds.

        Returns `None` when that cannot be, also for lack of the file, so that the client uploads it; the answer reveals
        nothing about repositories the caller may not read.
        """
        for holder in (source,) if source is not None else await self._holders(digest):
            if visible(holder):
                blob = await self._rows.mount_blob(repository, digest, holder, present=self._content.present)
                if blob is not None:
                    return blob
        return None

    async def _holders(self, digest: Digest) -> tuple[RepositoryName, ...]:
        return tuple(await self._rows.page_holders(digest, None, HOLDERS_ASKED))

    async def delete(
        self, repository: RepositoryName, digest: Digest, *, precondition: Precondition = UNCONDITIONAL
    ) -> None:
        """Make the repository hold the blob no more; other repositories keep theirs.

        Raises: BlobUnknown, PreconditionFailed.
        """
        # A digest names itself for as long as it names anything, so this needs no transaction.
        if not precondition.holds(digest) and await self._rows.find_blob(repository, digest) is not None:
            raise PreconditionFailed(reference=str(digest), current=str(digest))
        if not await self._rows.remove_blob(repository, digest):
            raise BlobUnknown(digest=str(digest))
