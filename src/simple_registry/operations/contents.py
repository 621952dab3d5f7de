"""Content, as rows and bytes that are kept consistent: opened, placed, and removed once condemned.

    push       count removals ─► bytes durable at a place ─► row, unless the content is condemned or was removed since
    collector  row condemned  ─► bytes removed            ─► row removed, removal counted

A row of whole content guarantees its bytes, and no lock is held while bytes are written. A push of condemned content
finishes the removal, then places its bytes again.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

from simple_registry.content import Content
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import Unavailable
from simple_registry.oci.preconditions import PreconditionUnmet
from simple_registry.operations.side_writes import SideWrites
from simple_registry.operations.verification import Verification
from simple_registry.storage.protocols.collection import ContentRows, GarbageRows
from simple_registry.storage.protocols.content import ContentStore
from simple_registry.storage.quotas import OverQuota
from simple_registry.storage.records import (
    BlobAdded,
    ContentRecord,
    ContentRemoved,
    ManifestStored,
    PartsUnmet,
    Placed,
    Space,
    TagProtected,
)

logger = logging.getLogger("simple_registry")

MAX_ATTEMPTS = 5
"""Attempts to place the bytes of one push; refused pushes of the same content may cost one each."""

_Outcome = TypeVar(
    "_Outcome", bound=BlobAdded | ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | OverQuota
)


class Contents:
    """Content for the operations."""

    def __init__(self, rows: ContentRows, garbage: GarbageRows, store: ContentStore) -> None:
        self._rows = rows
        self._garbage = garbage
        self._store = store
        self._marks = SideWrites()
        self._verification = Verification(rows, self.mark_damaged)
        self._after: Digest | None = None
        """The digest after which the next round begins, so that content that cannot be removed delays no other."""

    async def find(self, digest: Digest) -> ContentRecord | None:
        """Return the content if its row is whole, in whatever repository."""
        return await self._rows.find_content(digest)

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the bytes of content. If they are missing, mark the row as damaged and return `None`.

        Raises: StorageFault when all content is out of reach.
        """
        content = await self._store.open(record)
        if content is None:
            await self.mark_damaged(record)
        return content

    async def open_checked(self, record: ContentRecord) -> Content | None:
        """Return what `open` does; bytes that changed since they were verified are verified when they are read."""
        content = await self.open(record)
        return None if content is None else self._verification.checked(record, content)

    async def has(self, record: ContentRecord) -> bool:
        """Return whether the bytes of content exist. If they do not, mark the row as damaged.

        Bytes that changed since they were verified are verified first.

        Raises: Unavailable when that takes too long; StorageFault.
        """
        if record.stamp:
            content = await self.open(record)
            return content is not None and await self._verification.verify(record, content)
        if await self._store.has(record):
            return True
        await self.mark_damaged(record)
        return False

    async def mark_damaged(self, record: ContentRecord) -> None:
        """Make content absent in every process, so that clients push it again, until it is healed or repaired."""
        # On a disk that is full, read-only, failing or busy each reader detects the damage by itself.
        await self._marks.write(record, partial(self._mark_damaged, record))

    async def _mark_damaged(self, record: ContentRecord) -> None:
        if await self._rows.mark_damaged(record):
            logger.error("content %s is gone or damaged; a push of it, to any repository, heals it", record.digest)

    async def place(
        self,
        digest: Digest,
        *,
        publish: Callable[[], Awaitable[Placed]],
        confirm: Callable[[Placed, int], Awaitable[_Outcome | ContentRemoved]],
    ) -> _Outcome:
        """Make bytes durable with `publish`, write their row with `confirm`, and return its result.

        Both are repeated while the content is being removed.

        Raises: Unavailable, and what they raise.
        """
        outcome = await self._place(digest, publish, confirm)
        for _attempt in range(1, MAX_ATTEMPTS):
            if not isinstance(outcome, ContentRemoved):
                return outcome
            # Beside many removals of other content the attempts would run out: from now on there are none.
            async with self._garbage.collecting():
                await self._finish_removal(digest)
                outcome = await self._place(digest, publish, confirm)
        if isinstance(outcome, ContentRemoved):
            raise Unavailable(note=f"content of {digest} was removed {MAX_ATTEMPTS} times while it was pushed")
        return outcome

    async def _place(
        self,
        digest: Digest,
        publish: Callable[[], Awaitable[Placed]],
        confirm: Callable[[Placed, int], Awaitable[_Outcome | ContentRemoved]],
    ) -> _Outcome | ContentRemoved:
        # Counted before the bytes are placed: a removal that follows may be of just these bytes.
        removals = await self._rows.removals()
        placed = await publish()
        outcome = await confirm(placed, removals)
        if isinstance(outcome, BlobAdded | ManifestStored):
            await self._drop(outcome.surplus)
        elif placed.place:  # a copy of this push alone, which was refused; the empty place is shared by all pushes
            await self._drop(ContentRecord(digest, 0, placed.place))
        return outcome

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Make small content durable at a place: a `publish` for `place`."""
        return await self._store.put(digest, data)

    @property
    def more_condemned(self) -> bool:
        """Whether more content may be condemned than the last call of `remove_condemned` came to."""
        return self._after is not None

    async def remove_condemned(self, limit: int) -> Space:
        """Remove up to `limit` condemned contents, including those of a collector that died. Return what was removed.

        Content that cannot be removed is logged, and tried again after all other content. While a backup is made, none
        is removed. The caller holds `GarbageRows.collecting`.
        """
        async with self._garbage.removing() as allowed:
            if allowed:
                return await self._remove_condemned(limit)
            self._after = None
            return Space()

    async def _remove_condemned(self, limit: int) -> Space:
        page = await self._garbage.page_condemned(self._after, limit)
        self._after = page[-1].digest if len(page) == limit else None
        removed = []
        for record in page:  # bytes before rows: after a crash the rows still name what must be removed
            try:
                await self._store.remove(record)
            except StorageFault as fault:
                logger.warning("content %s cannot be removed: %s", record.digest, fault)
            else:
                removed.append(record)
        if removed:
            await self._garbage.forget(removed)
        return Space(len(removed), sum(record.size for record in removed))

    async def _drop(self, surplus: ContentRecord | None) -> None:
        """Remove bytes that no row needs. If that fails, they only take space, until `fsck` finds them."""
        if surplus is not None:
            with suppress(StorageFault):  # the rows are committed already
                await self._store.remove(surplus)

    async def _finish_removal(self, digest: Digest) -> None:
        record = await self._garbage.find_condemned(digest)
        if record is not None:
            await self._store.remove(record)
            await self._garbage.forget([record])
