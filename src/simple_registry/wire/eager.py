"""Coroutines whose first step runs at once.

Most requests are answered in the first step of their handler. It is run in the event that completed the request; only a
handler that waits for something becomes a task, which costs several microseconds and a turn of the event loop.
(Python 3.12 has tasks that start so; this can go with 3.11.)
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from functools import partial
from typing import Any


def start(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
    """Run the first step of a coroutine, in a context of its own; return a task for the rest, `None` when it is done.

    `asyncio.current_task()` is `None` in that step. Raises what the step raises.
    """
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    return loop.create_task(_rest(coroutine, awaited), context=context)


@types.coroutine
def _rest(coroutine: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Go on with a coroutine whose first step yielded `awaited`: what it yields goes to the task, and back."""
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 (it is the coroutine's: a cancellation, or what it waited for)
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, None)
        try:
            awaited = step()
        except StopIteration:
            return
