"""Tags: listed in ASCII order, deleted one at a time."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.operations.pages import BATCH, LARGE_PAGES, Page, fill_page, visible_of
from simple_registry.storage.protocols import RepositoryRows, TagRows

TAGS_ASKED = 10_000
"""How many tags are looked at to find one that a caller may see; asking more would let a catalog take seconds."""


class TagStore(TagRows, RepositoryRows, Protocol):
    """The rows that tags need."""


class Tags:
    """The operations on tags."""

    def __init__(self, rows: TagStore) -> None:
        """Work on these rows."""
        self._rows = rows
        self._large_pages = asyncio.Semaphore(LARGE_PAGES)

    async def page(
        self, repository: RepositoryName, *, last: str | None, limit: int, visible: Callable[[Tag], bool]
    ) -> Page[Tag]:
        """Return up to `limit` visible tags after `last`.

        Raises: NameUnknown.
        """
        if not self._rows.has_repository(repository):
            raise NameUnknown(name=repository)

        async def seen(tags: Sequence[Tag]) -> Sequence[Tag]:
            return await visible_of(tags, visible)

        def read(after: str | None, size: int) -> Sequence[Tag]:
            return self._rows.page_tags(repository, after, size)

        return await fill_page(read, seen, last, limit, large=self._large_pages)

    async def any(self, repository: RepositoryName, visible: Callable[[Tag], bool]) -> bool:
        """Tell whether any of the first `TAGS_ASKED` tags is visible."""
        after: Tag | None = None
        for _ in range(TAGS_ASKED // BATCH):
            tags = self._rows.page_tags(repository, after, BATCH)
            if any(visible(tag) for tag in tags):
                return True
            if len(tags) < BATCH:
                break
            after = tags[-1]
            await asyncio.sleep(0)
        return False

    async def delete(
        self, repository: RepositoryName, tag: Tag, *, precondition: Precondition = UNCONDITIONAL
    ) -> Digest:
        """Remove this tag; its manifest and other tags stay. Returns what it pointed at.

        Raises: ManifestUnknown, PreconditionFailed.
        """
        digest = await self._rows.remove_tag(repository, tag, precondition=precondition)
        if digest is None:
            raise ManifestUnknown(reference=tag)
        if isinstance(digest, PreconditionUnmet):
            raise PreconditionFailed(reference=tag, current=str(digest.current))
        return digest
