"""Coroutines whose first step runs at once; the rest is an ordinary task."""

import asyncio
import gc
import weakref
from contextvars import ContextVar

import pytest

from simple_registry.wire.eager import start

SEEN = ContextVar("seen", default="outside")


def run(scenario):
    return asyncio.run(scenario())


def test_a_coroutine_that_does_not_wait_finishes_at_once():
    done = []

    async def work():
        done.append("all")

    async def scenario():
        assert start(asyncio.get_running_loop(), work()) is None
        assert done == ["all"]

    run(scenario)


@pytest.mark.parametrize(
    "wait", [lambda: asyncio.sleep(0), lambda: asyncio.sleep(0.01), lambda: asyncio.to_thread(str)]
)
def test_a_coroutine_that_waits_continues_as_a_task(wait):
    steps = []

    async def work():
        steps.append(1)
        await wait()
        steps.append(2)
        await wait()
        steps.append(asyncio.current_task())

    async def scenario():
        task = start(asyncio.get_running_loop(), work())
        assert steps == [1]
        await task
        assert steps == [1, 2, task]

    run(scenario)


def test_the_rest_keeps_nothing_of_what_was_awaited_before():
    async def scenario():
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in range(3)]
        known = [weakref.ref(each) for each in futures]
        waiting = iter(futures)

        async def work():
            for _ in range(3):
                await next(waiting)

        task = start(loop, work())
        for number in range(2):
            futures[number].set_result(bytes(10))
            futures[number] = None
            await asyncio.sleep(0.01)
        waiting = iter(())
        gc.collect()
        assert [each() is None for each in known] == [True, True, False]
        task.cancel()

    run(scenario)


def test_the_first_step_raises_its_exception_and_the_task_has_later_ones():
    async def fail(wait):
        if wait:
            await asyncio.sleep(0)
        raise RuntimeError("the test says no")

    async def scenario():
        with pytest.raises(RuntimeError, match="the test says no"):
            start(asyncio.get_running_loop(), fail(wait=False))
        task = start(asyncio.get_running_loop(), fail(wait=True))
        with pytest.raises(RuntimeError, match="the test says no"):
            await task

    run(scenario)


def test_an_exception_of_an_awaited_future_reaches_the_coroutine():
    async def scenario():
        future = asyncio.get_running_loop().create_future()
        caught = []

        async def work():
            try:
                await future
            except ValueError as error:
                caught.append(error)

        task = start(asyncio.get_running_loop(), work())
        future.set_exception(ValueError("no"))
        await task
        assert len(caught) == 1

    run(scenario)


def test_a_cancellation_reaches_the_coroutine_which_may_still_wait():
    steps = []

    async def work():
        try:
            await asyncio.sleep(100)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    async def scenario():
        task = start(asyncio.get_running_loop(), work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert steps == ["cleaned up"]

    run(scenario)


def test_the_coroutine_has_its_own_context_from_the_first_step():
    seen = []

    async def work():
        SEEN.set("inside")
        await asyncio.sleep(0)
        seen.append(SEEN.get())

    async def scenario():
        await start(asyncio.get_running_loop(), work())
        assert (seen, SEEN.get()) == (["inside"], "outside")

    run(scenario)
