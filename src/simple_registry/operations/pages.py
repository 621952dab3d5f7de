"""Pages of listings: filled by keyset queries, without items that the caller may not see."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import compress
from time import monotonic
from typing import Generic, TypeVar

BATCH = 250
"""Rows read at a time."""

MAX_LARGE_PAGES = 8
"""Pages of more than `BATCH` items that each process fills at once, of tags and of the catalog, up to 3 MiB each."""

TURN = 0.01
"""Seconds for which a listing keeps the event loop before other requests get a turn."""

Item = TypeVar("Item")
Position = TypeVar("Position")
Question = TypeVar("Question")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item]):
    """Part of a listing, and whether more items follow."""

    items: Sequence[Item]
    more: bool


async def fill_page(
    query: Callable[[Position | Item | None, int], Awaitable[Sequence[Item]]],
    visible: Callable[[Sequence[Item]], Awaitable[Sequence[Item]]],
    last: Position | None,
    limit: int,
    *,
    large: asyncio.Semaphore,
) -> Page[Item]:
    """Return up to `limit` visible items after `last`.

    `query(after, size)` reads the next rows in order. `visible` returns those that the caller may see, in order. A page
    of more than `BATCH` items waits for `large`, which bounds the memory of pages that are not sent yet.
    """
    if limit == 0:
        return Page((), more=False)
    items: list[Item] = []
    after: Position | Item | None = last
    size = min(BATCH, limit + 1)  # one more than the page, so that `more` is exact; enough if every item is visible
    async with AsyncExitStack() as held:
        turn: asyncio.Semaphore | None = large
        while len(items) <= limit:
            if turn is not None and len(items) >= BATCH:  # not earlier: a long search with few results delays no other
                await held.enter_async_context(turn)
                turn = None
            rows = await query(after, size)
            items += await visible(rows)
            await asyncio.sleep(0)  # a long search lets other requests run
            if len(rows) < size:
                break
            after, size = rows[-1], BATCH
    return Page(tuple(items[:limit]), more=len(items) > limit)


async def visible_of(items: Sequence[Item], visible: Callable[[Item], bool]) -> Sequence[Item]:
    """Return the visible items, in turns: the patterns of a token may take milliseconds for each item."""
    return tuple(compress(items, await in_turns(items, visible)))


async def in_turns(items: Sequence[Question], act: Callable[[Question], Outcome]) -> Sequence[Outcome]:
    """Return the result of `act` for each item. Other requests get a turn every `TURN` seconds."""
    outcomes: list[Outcome] = []
    turn_ends = monotonic() + TURN
    for item in items:
        outcomes.append(act(item))
        if monotonic() >= turn_ends:
            await asyncio.sleep(0)
            turn_ends = monotonic() + TURN
    return outcomes
