"""The completion of a call in a thread, awaited on the event loop that began it.

A thread cannot be cancelled. A caller that is cancelled still waits until the call has ended: it may hold what the call
works on, such as an open file or an upload session, and nothing else may get that before.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

_T = TypeVar("_T")


class Completion(Generic[_T]):
    """The result of a call in a thread, or its error. It is made on the event loop that awaits it."""

    __slots__ = ("_ended", "_error", "_loop", "_result", "_waiting")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] = self._loop.create_future()
        self._ended = False
        self._result: _T
        self._error: BaseException | None = None

    def run(self, call: Callable[[], _T]) -> None:
        """Make the call and keep its result or error; called in the thread."""
        try:
            result = call()
        except BaseException as error:  # noqa: BLE001 (it is raised where the call is awaited)
            self.fail(error)
        else:
            self.succeed(result)

    def succeed(self, result: _T) -> None:
        """Keep the result; called in the thread."""
        self._result = result
        self._wake()

    def fail(self, error: BaseException) -> None:
        """Keep the error; called in the thread."""
        self._error = error
        self._wake()

    async def finish(self) -> _T:
        """Return the result, or raise the error; a cancellation is raised too, but not before the call has ended."""
        cancelled: asyncio.CancelledError | None = None
        while not self._ended:
            try:
                await self._waiting
            except asyncio.CancelledError as error:
                cancelled = error
                # The cancelled future is spent; the thread wakes the one that is here when it ends.
                self._waiting = self._loop.create_future()
        if cancelled is not None:
            raise cancelled
        if self._error is not None:
            raise self._error
        return self._result

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            return  # the loop was closed: no task waits any more

    def _end(self) -> None:
        self._ended = True
        if not self._waiting.done():
            self._waiting.set_result(None)
