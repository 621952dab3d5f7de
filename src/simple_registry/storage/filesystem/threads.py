"""The threads in which files are written and read; none outlives the call that waits for it (see `Completion`).

The standard pool takes four times as long to hand over a call and return its result, which for a small push is more
than everything else that Python does for it: its futures are made for threads that wait, ours for an event loop.
"""

from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import ParamSpec, TypeVar

from simple_registry.completion import Completion

_P = ParamSpec("_P")
_T = TypeVar("_T")

DEFAULT_SIZE = 16
"""Threads mostly wait for the disk; more of them only queue there."""


class Threads:
    """A bounded pool. Threads start with the calls that need them, hence after a fork, not with the pool."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        """Allow `size` threads."""
        self._size = size
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._idle = 0
        """Threads that wait for a call, less the calls that wait for a thread."""

    def start(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Completion[_T]:
        """Begin a call, which the caller must `finish`."""
        completion: Completion[_T] = Completion()
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
        self._calls.put(partial(completion.run, partial(call, *args, **kwargs)))
        return completion

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return what the call returns, once it is over, even when the caller is cancelled meanwhile."""
        return await self.start(call, *args, **kwargs).finish()

    def close(self) -> None:
        """Wait for the calls under way and let the threads go."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # and with it the bytes that it may hold, while this thread waits
            with self._lock:
                self._idle += 1
