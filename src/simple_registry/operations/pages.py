"""Filling one page of a listing from a keyset query, past items that the caller may not see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import compress
from time import monotonic
from typing import Generic, TypeVar

BATCH = 250
"""Rows read at a time."""

LARGE_PAGES = 8
"""Pages of more items that each process fills at once, of tags and of the catalog: one may have 3 MiB of names."""

TURN = 0.01
"""Seconds for which a listing keeps the event loop before others have a turn."""

Item = TypeVar("Item", bound=str)
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a listing, and whether more follows after its last item."""

    items: Sequence[Item]
    more: bool


async def fill_page(
    query: Callable[[str | None, int], Awaitable[Sequence[Item]]],
    visible: Callable[[Sequence[Item]], Awaitable[Sequence[Item]]],
    last: str | None,
    limit: int,
    *,
    large: asyncio.Semaphore,
) -> Page[Item]:
    """Return up to `limit` visible items after `last`; `query(after, size)` reads the next rows in order.

    `visible` returns those of some rows that the caller may see, in their order.

    One item more than the page is looked for, so that `more` is true only when something follows. A page of more than
    `BATCH` items waits for `large`: what is read and not yet sent is bounded by nothing else.
    """
    if limit == 0:
        return Page((), more=False)
    items: list[Item] = []
    after = last
    size = min(BATCH, limit + 1)  # what a page takes when everything is visible; more are read once something is not
    async with AsyncExitStack() as held:
        turn: asyncio.Semaphore | None = large
        while len(items) <= limit:
            if turn is not None and len(items) >= BATCH:  # not before: a search that finds little delays nothing
                await held.enter_async_context(turn)
                turn = None
            rows = await query(after, size)
            items += await visible(rows)
            await asyncio.sleep(0)  # a long search for the few that are visible leaves room for other requests
            if len(rows) < size:
                break
            after, size = rows[-1], BATCH
    return Page(tuple(items[:limit]), more=len(items) > limit)


async def visible_of(items: Sequence[Item], visible: Callable[[Item], bool]) -> Sequence[Item]:
    """Return the visible items, with turns for others: patterns of a token may take milliseconds for each item."""
    return tuple(compress(items, await in_turns(items, visible)))


async def in_turns(items: Sequence[Item], act: Callable[[Item], Outcome]) -> Sequence[Outcome]:
    """Return what `act` returns for each item, with turns for other requests whenever that has taken a while."""
    outcomes: list[Outcome] = []
    turn_ends = monotonic() + TURN
    for item in items:
        outcomes.append(act(item))
        if monotonic() >= turn_ends:
            await asyncio.sleep(0)
            turn_ends = monotonic() + TURN
    return outcomes
