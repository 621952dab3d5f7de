"""The rows of content, of its collection, and of what keeps it."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.records import (
    CollectionRow,
    ContentRecord,
    HeldAs,
    HeldTogether,
    HoldingsEnded,
    Keepers,
    Rehearsed,
    Reviewed,
    ReviewRules,
    Waiting,
)


class ContentRows(Protocol):
    """Content, as rows record it."""

    async def find_content(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is whole, in whatever repository."""

    async def removals(self) -> int:
        """Return the number of removals so far. A push reads it before it places bytes, and passes it with the row."""

    async def mark_damaged(self, record: ContentRecord) -> bool:
        """Mark content whose bytes are not at its place, or are not those of its digest. Return whether it was whole.

        Changes nothing if the bytes were placed again since `record` was read. A power cut may undo the mark.
        """

    async def mark_verified(self, stamps: Mapping[ContentRecord, str]) -> None:
        """Record that bytes of these stamps are now known to be those of their digests.

        Changes no row whose bytes were placed again since the record was read. A power cut may undo the marks.
        """


class GarbageRows(Protocol):
    """Expired holdings, content without holdings, and the times by which rows expire."""

    def collecting(self, *, only_reading: bool = False) -> AbstractAsyncContextManager[None]:
        """Wait for the right to remove content, and hold it for the block. One request in all processes holds it.

        A block that is `only_reading` keeps collectors away and removes nothing: it is entered in read-only mode, too.

        Raises (on entering): InReadOnlyMode, StorageFault.
        """

    def removing(self) -> AbstractAsyncContextManager[bool]:
        """Hold the right to remove bytes for the block. Yield whether there is one: a backup keeps all bytes.

        Raises (on entering): StorageFault.
        """

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding became deleted or unneeded, or a session was touched, after this time."""

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`: a wrong clock wrote them."""

    async def end_holdings(self, before: float, limit: int) -> HoldingsEnded:
        """End up to `limit` holdings that were deleted or unneeded before this time: manifests first, oldest first.

        At most half are manifests, so that blobs, which take the space, end as early as theirs.
        A holding to which a manifest refers, whatever its state, waits for that manifest; only what a client deleted
        does not wait for one that is needed. Content without holdings is condemned, and a repository that holds nothing
        is removed.
        """

    async def waiting(self) -> Waiting:
        """Return what waits for the end of its grace. Its cost follows their number: it is read in a thread."""

    async def rehearse(self, before: float, rules: ReviewRules | None) -> Rehearsed:
        """Return what reviews by these rules, and ending all holdings before this time, would do. Nothing changes."""

    async def page_condemned(self, after: Digest | None, limit: int) -> Sequence[ContentRecord]:
        """Return condemned content, ordered by digest, after `after`."""

    async def find_condemned(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is condemned."""

    async def forget(self, records: Sequence[ContentRecord]) -> None:
        """Remove the rows of condemned content whose bytes were removed, and count the removals.

        The count shows a push that the bytes it placed before this commit may have been removed.
        """


class CollectionRows(Protocol):
    """The last collection of each origin."""

    async def keep_collection(self, row: CollectionRow) -> None:
        """Keep a collection instead of the last one of its origin. A power cut may undo that."""

    async def last_collections(self) -> Sequence[CollectionRow]:
        """Return the last collection of each origin, the newest first."""


class ReviewRows(Protocol):
    """The manifests without a tag that may have lost what keeps them."""

    async def review(self, rules: ReviewRules, limit: int) -> Reviewed:
        """Review up to `limit` manifests whose review is due.

        One with a tag, whose subject is a needed manifest, or to which a needed manifest refers, is kept; its
        review comes again when that ends. One that `rules` keep is reviewed again within a day. Others become unneeded.
        """


class KeeperRows(Protocol):
    """What keeps content, for explanations."""

    async def holdings_of(self, digest: Digest, limit: int) -> Sequence[HeldAs]:
        """Return up to `limit` holdings of this content, deleted or not."""

    async def keepers_of(self, repository: RepositoryName, digest: Digest, limit: int) -> Keepers:
        """Return up to `limit` tags, and as many needed manifests of the repository, that keep this content."""

    async def held_by(self, repository: RepositoryName) -> Sequence[HeldTogether]:
        """Return all that a repository holds, together by kind, state and whether it counts, in this order."""
