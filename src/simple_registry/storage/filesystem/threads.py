"""The threads in which files are written and read, and the promise that none outlives the call that waits for it.

A thread cannot be cancelled. When the caller is, it still waits until its thread is done, so that nobody closes a
descriptor that is being written to.

The standard pool takes four times as long to get a call there and its result back, which for a small push is more than
everything else that Python does for it; its futures are made for waiting threads, and ours wait on an event loop.
"""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Generic, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

DEFAULT_SIZE = 16
"""Threads mostly wait for the disk; more of them only queue there."""


class Started(Generic[_T]):
    """A call in a thread, whoever waits for it. Made on the event loop that is told when it is over."""

    def __init__(self, call: Callable[[], _T]) -> None:
        """Hold a call that a thread is to make."""
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._waiting: asyncio.Future[None] = self._loop.create_future()
        self._over = False
        self._result: _T
        self._error: BaseException | None = None

    def run(self) -> None:
        """Make the call, in the thread that took it."""
        try:
            self._result = self._call()
        except BaseException as error:  # noqa: BLE001 (it goes to the one who waits)
            self._error = error
        try:
            self._loop.call_soon_threadsafe(self._end)
        except RuntimeError:
            return  # the loop was closed: nobody waits any more

    async def finish(self) -> _T:
        """Return the result; a cancellation is passed on, but not before the thread is done."""
        cancelled: asyncio.CancelledError | None = None
        while not self._over:
            try:
                await self._waiting
            except asyncio.CancelledError as error:
                cancelled = error
                self._waiting = self._loop.create_future()
        if cancelled is not None:
            raise cancelled
        return self.result()

    def result(self) -> _T:
        """Return the result of a call that is over, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._result

    @property
    def failed(self) -> bool:
        """Whether the call raised, or is not over."""
        return not self._over or self._error is not None

    def _end(self) -> None:
        self._over = True
        if not self._waiting.done():
            self._waiting.set_result(None)


class Threads:
    """A bounded pool. Threads start with the calls that need them, hence after a fork, not with the pool."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        """Allow `size` threads."""
        self._size = size
        self._started: SimpleQueue[Started[object] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._idle = 0
        """Threads that wait for a call, less the calls that wait for a thread."""

    def start(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Started[_T]:
        """Begin a call; whoever begins it owes it a `finish`."""
        started = Started(lambda: call(*args, **kwargs))
        with self._lock:
            self._idle -= 1
            if self._idle < 0 and len(self._threads) < self._size:
                self._idle += 1
                # A daemon: a process that ends without close() must not hang on a disk that does.
                thread = Thread(target=self._serve, name=f"files_{len(self._threads)}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the machine has no room for another
                    if not self._threads:
                        raise
                    self._idle -= 1
                else:
                    self._threads.append(thread)
        self._started.put(started)  # type: ignore[arg-type]
        return started

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the call returns, once it is over, even when the caller is cancelled meanwhile."""
        return await self.start(call, *args, **kwargs).finish()

    def close(self) -> None:
        """Wait for the calls under way and let the threads go."""
        for _ in self._threads:
            self._started.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (started := self._started.get()) is not None:
            started.run()
            del started  # and with it the bytes that it may hold, while this thread waits
            with self._lock:
                self._idle += 1
