"""Sessions in memory; the contracts hold what they promise besides."""

import asyncio

from simple_registry.storage.records import Received
from storage.support import ManualClock, memory_stores, run


def test_a_session_is_busy_while_it_is_extended():
    stores = memory_stores(ManualClock())
    goes_on = asyncio.Event()

    async def slow():
        yield b"data"
        await goes_on.wait()

    async def scenario():
        extending = asyncio.ensure_future(stores.uploads.extend("s", Received(), "sha256", slow()))
        await asyncio.sleep(0)
        assert stores.uploads.busy == {"s"}
        goes_on.set()
        await extending
        assert stores.uploads.busy == set()

    run(scenario())
