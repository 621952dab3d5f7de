"""The rows of what repositories and identities use."""

from collections.abc import Sequence
from typing import Protocol

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.quotas import Account, Amounts
from simple_registry.storage.records import TotalUsage, Usage


class UsageRows(Protocol):
    """What repositories and identities use, exact in each transaction."""

    async def find_usage(self, repository: RepositoryName) -> Usage | None:
        """Return what a repository uses."""

    async def page_usage(self, after: str | None, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return repositories and what they use, in ASCII order, after `after`."""

    async def largest_usage(self, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return the repositories that use most bytes, and what they use, the largest first."""

    async def total_usage(self) -> TotalUsage:
        """Return what all repositories use together."""

    async def amounts(self, account: Account) -> Amounts:
        """Return what an account uses."""

    async def repositories_above(self, amounts: Amounts) -> Sequence[RepositoryName]:
        """Return the repositories that use at least one of these amounts, in ASCII order."""

    async def identities_above(self, amounts: Amounts) -> Sequence[str]:
        """Return the identities that use at least one of these amounts, in ASCII order."""
