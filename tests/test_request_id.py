"""The id of the request being handled: each task has its own, which its threads and the tasks that it starts share."""

import asyncio

from simple_registry.request_id import REQUEST_ID


def test_concurrent_requests_have_separate_ids():
    async def handle(name):
        REQUEST_ID.set(name)
        await asyncio.sleep(0)
        inner = await asyncio.create_task(asyncio.sleep(0, REQUEST_ID.get()))
        return inner, REQUEST_ID.get(), await asyncio.to_thread(REQUEST_ID.get)

    async def run():
        return await asyncio.gather(*(handle(str(number)) for number in range(20)))

    assert asyncio.run(run()) == [(str(number),) * 3 for number in range(20)]
    assert REQUEST_ID.get() is None
