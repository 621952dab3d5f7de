"""Tags with their times, in the orders in which people look for them."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum

from simple_registry.access.versions import version_key
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.pages import BATCH, MAX_LARGE_PAGES, Page, fill_page, visible_of
from simple_registry.storage.protocols.tags import TagTimes
from simple_registry.storage.records import TagPosition, TagRow

__all__ = ["TagLists", "TagOrder", "TagPosition", "TagRow"]


class TagOrder(StrEnum):
    """An order of tags."""

    PUSHED = "pushed"
    """The last pushed first."""
    VERSION = "version"
    """The latest version first, and then tags that name none."""
    NAME = "name"


LARGE_BATCH = 10_000
"""Tags read at a time for a caller that may see few: each read goes through all tags of the repository."""

_KEYS: Mapping[TagOrder, tuple[Callable[[Tag], str], bool]] = {
    TagOrder.VERSION: (version_key, True),
    TagOrder.NAME: (str, False),
}
"""The keys of orders, and whether the highest comes first."""


class TagLists:
    """The operation."""

    def __init__(self, rows: TagTimes) -> None:
        self._rows = rows
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def page(
        self,
        repository: RepositoryName,
        order: TagOrder,
        *,
        containing: str,
        after: TagPosition | None,
        limit: int,
        visible: Callable[[Tag], bool],
    ) -> Page[TagRow]:
        """Return up to `limit` visible tags with a text in their names, after `after`, which need not exist."""

        async def read(last: TagPosition | TagRow | None, size: int) -> Sequence[TagRow]:
            position = last.position if isinstance(last, TagRow) else last
            size = size if size < BATCH else LARGE_BATCH
            if order is TagOrder.PUSHED:
                return await self._rows.last_pushed_tags(repository, containing=containing, after=position, limit=size)
            key, reverse = _KEYS[order]
            tag = None if position is None else position.tag
            return await self._rows.sorted_tags(
                repository, key, containing=containing, after=tag, limit=size, reverse=reverse
            )

        async def seen(rows: Sequence[TagRow]) -> Sequence[TagRow]:
            return await visible_of(rows, lambda row: visible(row.tag))

        return await fill_page(read, seen, after, limit, large=self._large_pages)
