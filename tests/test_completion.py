"""A caller gets the result of its thread, and never leaves before the thread has ended."""

import asyncio
from threading import Event, Thread

import pytest

from simple_registry.completion import Completion


def test_the_result_arrives_from_the_thread():
    async def scenario():
        completion = Completion()
        Thread(target=completion.run, args=(lambda: 7,)).start()
        assert await completion.finish() == 7
        return await completion.finish()

    assert asyncio.run(scenario()) == 7


def test_the_error_is_raised_where_the_call_is_awaited():
    async def scenario():
        completion = Completion()
        Thread(target=completion.run, args=(lambda: 1 // 0,)).start()
        with pytest.raises(ZeroDivisionError):
            await completion.finish()

    asyncio.run(scenario())


def test_a_cancelled_caller_waits_for_the_thread_however_often_it_is_cancelled():
    release = Event()

    async def scenario():
        completion = Completion()
        Thread(target=completion.run, args=(release.wait,)).start()
        task = asyncio.create_task(completion.finish())
        for _ in range(3):
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        release.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await completion.finish()

    asyncio.run(scenario())


def test_a_closed_loop_does_not_hurt_the_thread():
    async def scenario():
        return Completion()

    asyncio.run(scenario()).succeed(None)
