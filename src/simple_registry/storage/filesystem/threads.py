"""The threads in which files are written and read, and the promise that none outlives the call that waits for it.

A thread cannot be cancelled. When the caller is, it still waits until its thread is done, so that nobody closes a
descriptor that is being written to.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

DEFAULT_SIZE = 16
"""Threads mostly wait for the disk; more of them only queue there."""


class Threads:
    """A bounded pool. Threads start with the first call, hence after a fork, not with the pool."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        """Allow `size` threads."""
        self._executor = ThreadPoolExecutor(size, thread_name_prefix="files")

    def start(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
        """Begin a call; whoever begins it owes it a `finish`."""
        return asyncio.wrap_future(self._executor.submit(call, *args, **kwargs))

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the call returns, once it is over, even when the caller is cancelled meanwhile."""
        return await finish(self.start(call, *args, **kwargs))

    def close(self) -> None:
        """Wait for the calls under way and let the threads go."""
        self._executor.shutdown()


async def finish(call: asyncio.Future[_T]) -> _T:
    """Return the result of a call in a thread; a cancellation is passed on, but not before the thread is done."""
    cancelled: asyncio.CancelledError | None = None
    while not call.done():
        try:
            await asyncio.wait([call])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is None:
        return call.result()
    call.exception()  # seen, so that nobody warns about it; being cancelled is the answer
    raise cancelled
