"""The catalog of repositories."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from simple_registry.oci.names import RepositoryName
from simple_registry.operations.pages import MAX_LARGE_PAGES, Page, fill_page
from simple_registry.storage.protocols import RepositoryRows


class Repositories:
    """The operations on repositories."""

    def __init__(self, rows: RepositoryRows) -> None:
        self._rows = rows
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def page(
        self, *, last: str | None, limit: int, visible: Callable[[RepositoryName], Awaitable[bool]]
    ) -> Page[RepositoryName]:
        """Return up to `limit` visible repositories that hold a manifest, in ASCII order, after `last`."""

        async def seen(repositories: Sequence[RepositoryName]) -> Sequence[RepositoryName]:
            return [repository for repository in repositories if await visible(repository)]

        return await fill_page(self._rows.page_repositories, seen, last, limit, large=self._large_pages)
