"""The usage of repositories, as far as the caller may read it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simple_registry.oci.errors import NameUnknown
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.pages import MAX_LARGE_PAGES, fill_page
from simple_registry.storage.protocols.usage import UsageRows
from simple_registry.storage.records import TotalUsage, Usage

__all__ = ["RepositoryUsages", "TotalUsage", "Usage", "UsagePage"]


@dataclass(frozen=True, slots=True)
class UsagePage:
    """Part of a listing, and whether more repositories follow."""

    usages: Sequence[tuple[RepositoryName, Usage]]
    more: bool


class RepositoryUsages:
    """The operations on usage."""

    def __init__(self, rows: UsageRows) -> None:
        self._rows = rows
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def get(self, repository: RepositoryName) -> Usage:
        """Return what a repository uses.

        Raises: NameUnknown.
        """
        usage = await self._rows.find_usage(repository)
        if usage is None:
            raise NameUnknown(name=repository)
        return usage

    async def page(self, *, last: str | None, limit: int, visible: Callable[[RepositoryName], bool]) -> UsagePage:
        """Return up to `limit` visible repositories and what they use, in ASCII order, after `last`."""
        found: dict[RepositoryName, Usage] = {}

        async def read(after: str | None, size: int) -> Sequence[RepositoryName]:
            page = await self._rows.page_usage(after, size)
            found.update((name, usage) for name, usage in page if visible(name))
            return [name for name, _ in page]

        async def seen(repositories: Sequence[RepositoryName]) -> Sequence[RepositoryName]:
            return [name for name in repositories if name in found]

        page = await fill_page(read, seen, last, limit, large=self._large_pages)
        return UsagePage([(name, found[name]) for name in page.items], page.more)

    async def largest(self, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return the repositories that use most, and what they use, for administrators."""
        return await self._rows.largest_usage(limit)

    async def total(self) -> TotalUsage:
        """Return what all repositories use together."""
        return await self._rows.total_usage()
