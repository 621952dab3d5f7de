"""The catalog of repositories."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from simple_registry.oci.names import RepositoryName
from simple_registry.operations.pages import MAX_LARGE_PAGES, Page, fill_page
from simple_registry.storage.protocols.tags import RepositoryRows
from simple_registry.storage.records import RepositorySummary

__all__ = ["Repositories", "RepositorySummary", "SearchPage", "Visible"]

BATCH = 1000
"""Repositories read at a time by a search whose caller may not see all of them."""

MAX_EXAMINED = 20_000
"""Repositories that one search examines to find those that its caller may see."""

Visible = Callable[[RepositoryName], Awaitable[bool]]
"""Whether the caller may see a repository."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Some of the repositories that a search found, and where it continues, if `more` may follow there.

    That is `skip` repositories after the last one that the caller may see: no position names another.
    """

    found: Sequence[RepositorySummary]
    last: str | None
    skip: int
    more: bool


class Repositories:
    """The operations on repositories."""

    def __init__(self, rows: RepositoryRows) -> None:
        self._rows = rows
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def page(self, *, last: str | None, limit: int, visible: Visible) -> Page[RepositoryName]:
        """Return up to `limit` visible repositories that hold a manifest, in ASCII order, after `last`."""

        async def seen(repositories: Sequence[RepositoryName]) -> Sequence[RepositoryName]:
            return [repository for repository in repositories if await visible(repository)]

        return await fill_page(self._rows.page_repositories, seen, last, limit, large=self._large_pages)

    async def search(
        self, text: str, *, below: str = "", last: str | None, skip: int = 0, limit: int, visible: Visible
    ) -> SearchPage:
        """Return up to `limit` visible repositories whose names contain `text` and begin with `below`, after `last`.

        They are in ASCII order, without the first `skip`. A search that examines many repositories ends early, perhaps
        without any.
        """
        found: list[RepositorySummary] = []
        size, examined = limit + 1, 0  # enough if every repository is visible
        while examined < MAX_EXAMINED:
            rows = await self._rows.search_repositories(text, below, last, size, skip)
            for row in rows:
                if not await visible(row.name):
                    skip += 1
                elif len(found) == limit:
                    return SearchPage(found, last, skip, more=True)
                else:
                    found.append(row)
                    last, skip = row.name, 0
            if len(rows) < size:
                return SearchPage(found, last, skip, more=False)
            examined, size = examined + size, BATCH
            await asyncio.sleep(0)  # other requests get their turn
        return SearchPage(found, last, skip, more=True)
