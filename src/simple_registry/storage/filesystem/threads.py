"""Threads for blocking calls on files. A caller waits for the end of its call, even if it is cancelled (`Completion`).

The standard pool takes four times as long to pass a call and its result, because its futures serve waiting threads
rather than an event loop. For a small push, that time exceeds the rest of Python's work.
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
"""Threads in a pool. They mostly wait for the disk, where more of them would only queue."""


class Threads:
    """A bounded pool. Threads start with the calls that need them, so after a fork, not with the pool."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        """Allow `size` threads."""
        self._size = size
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._lock = Lock()
        self._idle = 0
        """The number of idle threads, minus that of queued calls."""

    def start(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Completion[_T]:
        """Start a call; the caller must await its `finish`."""
        completion: Completion[_T] = Completion()
        with self._lock:
            self._idle -= 1
            if self._idle < 0 and len(self._threads) < self._size:
                self._idle += 1
                # A daemon: a process that exits without close() must not wait for a disk that hangs.
                thread = Thread(target=self._serve, name=f"files_{len(self._threads)}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:  # the system refuses another thread: the existing ones take the call
                    if not self._threads:
                        raise
                    self._idle -= 1
                else:
                    self._threads.append(thread)
        self._calls.put(partial(completion.run, partial(call, *args, **kwargs)))
        return completion

    async def run(self, call: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Return the result of the call. A cancelled caller still waits for its end."""
        return await self.start(call, *args, **kwargs).finish()

    def close(self) -> None:
        """Wait for running calls and end the threads."""
        for _ in self._threads:
            self._calls.put(None)
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call  # releases its arguments, perhaps large, while this thread waits
            with self._lock:
                self._idle += 1
