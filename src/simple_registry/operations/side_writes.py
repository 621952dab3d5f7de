"""Writes that an answer does not depend on, such as the renewal of a grace.

A read must not wait indefinitely for the writers of rows. It waits for at most `MAX_WAIT`; the write then continues in
the background.
"""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from contextlib import suppress

from simple_registry.faults import StorageFault

MAX_WAIT = 1.0
"""Seconds that an answer waits for its write."""

MAX_WRITES = 1000
"""Pending writes. Further ones are dropped: a later read repeats them."""


class SideWrites:
    """The writes under way, each under the key of what it does."""

    def __init__(self) -> None:
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    async def write(self, key: Hashable, write: Callable[[], Awaitable[object]]) -> None:
        """Begin `write` unless one of the same key is under way, and wait for it, for `MAX_WAIT` at most.

        A disk that is full, read-only or failing is ignored.
        """
        task = self._tasks.get(key)
        if task is None:
            if len(self._tasks) >= MAX_WRITES:
                return
            task = self._tasks[key] = asyncio.get_running_loop().create_task(_ignoring_faults(write))
            task.add_done_callback(lambda _task: self._tasks.pop(key))
        # Not `wait_for`: at the timeout it would cancel the write, and then wait for its end.
        done, _pending = await asyncio.wait([task], timeout=MAX_WAIT)
        for each in done:
            each.result()


async def _ignoring_faults(write: Callable[[], Awaitable[object]]) -> None:
    with suppress(StorageFault):
        await write()
