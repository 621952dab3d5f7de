"""Coroutines whose first step runs at once.

Most handlers answer in their first step, which runs in the callback that completed the request. Only a handler that has
to wait becomes a task, which costs several microseconds and a turn of the event loop. Python 3.12 has eager tasks; this
module can be removed with the support for 3.11.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator
from contextvars import copy_context
from functools import partial
from typing import Any


def start(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None] | None":
    """Run the first step of a coroutine in a new context; return a task for the rest, or `None` if it has finished.

    `asyncio.current_task()` is `None` in that step. Exceptions of the step propagate.
    """
    context = copy_context()
    try:
        awaited = context.run(coroutine.send, None)
    except StopIteration:
        return None
    return loop.create_task(_rest(coroutine, awaited), context=context)


async def _rest(coroutine: Coroutine[Any, Any, None], awaited: object) -> None:
    # From Python 3.12 on, asyncio makes no task of a generator, although `types.coroutine` marks it.
    steps = _steps(coroutine, awaited)
    del awaited  # its result may be large, and the rest may wait for a client for minutes
    await steps


@types.coroutine
def _steps(coroutine: Coroutine[Any, Any, None], awaited: object) -> Generator[Any, Any, None]:
    """Run the rest of a coroutine that has yielded `awaited`, as a task would: pass futures up, and results down."""
    while True:
        try:
            yield awaited
        except BaseException as error:  # noqa: BLE001 (for the coroutine: a cancellation, or the error of what it awaited)
            step = partial(coroutine.throw, error)
        else:
            step = partial(coroutine.send, None)
        try:
            awaited = step()
        except StopIteration:
            return
