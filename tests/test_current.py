"""The request at hand: each task has its own, and so have the threads and tasks that it starts."""

import asyncio

from simple_registry.current import REQUEST


def test_requests_that_are_handled_at_once_are_kept_apart():
    async def handle(name):
        REQUEST.set(name)
        await asyncio.sleep(0)
        inner = await asyncio.create_task(asyncio.sleep(0, REQUEST.get()))
        return inner, REQUEST.get(), await asyncio.to_thread(REQUEST.get)

    async def run():
        return await asyncio.gather(*(handle(str(number)) for number in range(20)))

    assert asyncio.run(run()) == [(str(number),) * 3 for number in range(20)]
    assert REQUEST.get() is None
