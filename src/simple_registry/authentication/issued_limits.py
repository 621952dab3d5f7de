"""The limits of issued tokens: patterns of clients, compiled in a thread, with a cache."""

import asyncio
from collections.abc import Sequence

from simple_registry.access.limits import Limit, parse_client_limit
from simple_registry.access.scopes import CLIENT_MEMORY
from simple_registry.bounded_cache import BoundedCache
from simple_registry.operations.issued_tokens import TokenRow

CAPACITY = 32 * 1024 * 1024
"""Bytes of the limits that a process caches, each pattern counted with the most that it may take."""


class IssuedLimits:
    """Limits by the ids of their tokens."""

    def __init__(self) -> None:
        self._kept: BoundedCache[str, tuple[Sequence[str], Limit]] = BoundedCache(CAPACITY)

    async def find(self, row: TokenRow) -> Limit | None:
        """Return the limit of a token, or `None` for one without.

        Raises: GrantInvalid, for a token of an earlier version that this one would not issue.
        """
        if row.scopes is None:
            return None
        scopes, limit = self._kept.find(row.token_id) or ((), ())
        if scopes != row.scopes:
            limit = await asyncio.to_thread(parse_client_limit, row.scopes)
            self._kept.keep(row.token_id, (row.scopes, limit), len(limit) * CLIENT_MEMORY)
        return limit
