"""The limits of issued tokens: patterns that clients made, compiled in a thread and kept for the next request."""

import asyncio
from collections.abc import Sequence

from simple_registry.access.limits import Limit, parse_client_limit
from simple_registry.access.scopes import CLIENT_MEMORY
from simple_registry.bounded_cache import BoundedCache
from simple_registry.operations.tokens import TokenRow

CAPACITY = 32 * 1024 * 1024
"""Bytes of the limits that each process keeps, each pattern counted with all that it may come to take."""


class IssuedLimits:
    """Limits by the ids of their tokens."""

    def __init__(self) -> None:
        """Keep none yet."""
        self._kept: BoundedCache[str, tuple[Sequence[str], Limit]] = BoundedCache(CAPACITY)

    async def find(self, row: TokenRow) -> Limit | None:
        """Return what a token is limited to; `None` when it is not.

        Raises: GrantInvalid, for one that an earlier version issued and that this one would not.
        """
        if row.scopes is None:
            return None
        scopes, limit = self._kept.find(row.token_id) or ((), ())
        if scopes != row.scopes:
            limit = await asyncio.to_thread(parse_client_limit, row.scopes)
            self._kept.keep(row.token_id, (row.scopes, limit), len(limit) * CLIENT_MEMORY)
        return limit
