"""An event loop on a settable clock: when nothing is left to do, the clock moves to the next timer.

Hours pass in milliseconds, and always in the same way. Threads have no place here: work that takes time is an
`Executor` of this module, whose results come when the clock says so.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent import futures
from typing import Any, TypeVar

from support.time import SettableClock

RESOLUTION = 1e-5
"""Seconds by which a clock moves at least: adding less to the seconds of an epoch would not change them."""

_T = TypeVar("_T")


class _Selector(selectors.SelectSelector):
    def __init__(self, clock: SettableClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "everything waits for something that never comes"
        if timeout > 0:
            self._clock.advance(max(timeout, RESOLUTION))
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop whose time is that of a clock."""

    def __init__(self, clock: SettableClock) -> None:
        super().__init__(_Selector(clock))
        self._virtual = clock
        self._clock_resolution = RESOLUTION

    def time(self) -> float:
        return self._virtual.monotonic()


class Executor(futures.Executor):
    """Threads whose work takes `seconds` each; more work than threads waits for its turn."""

    def __init__(self, loop: VirtualLoop, *, threads: int, seconds: float) -> None:
        self._loop = loop
        self._seconds = seconds
        self._idle = threads
        self._waiting: list[tuple[futures.Future[Any], Callable[[], Any]]] = []

    def submit(self, work: Any, /, *arguments: Any, **how: Any) -> futures.Future[Any]:
        future: futures.Future[Any] = futures.Future()
        self._waiting.append((future, lambda: work(*arguments, **how)))
        self._begin()
        return future

    def _begin(self) -> None:
        while self._idle and self._waiting:
            self._idle -= 1
            self._loop.call_later(self._seconds, self._finish, *self._waiting.pop(0))

    def _finish(self, future: futures.Future[Any], work: Callable[[], Any]) -> None:
        self._idle += 1
        try:
            future.set_result(work())
        except Exception as error:  # noqa: BLE001 (raised where it is awaited)
            future.set_exception(error)
        self._begin()


def run(clock: SettableClock, work: Callable[[VirtualLoop], Coroutine[Any, Any, _T]]) -> _T:
    """Run something to its end, and whatever it left under way."""
    loop = VirtualLoop(clock)
    try:
        result = loop.run_until_complete(work(loop))
        rest = asyncio.all_tasks(loop)
        for task in rest:
            task.cancel()
        if rest:
            loop.run_until_complete(asyncio.wait(rest))
        return result
    finally:
        loop.close()
