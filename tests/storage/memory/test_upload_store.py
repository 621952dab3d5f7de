"""Sessions in memory; what they promise stands in the contracts."""

from simple_registry.content import stream_of
from storage.support import ManualClock, memory_stores, run


def test_a_session_is_not_abandoned_while_it_is_written():
    stores = memory_stores(ManualClock())

    async def scenario():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            await writer.append(stream_of(b"data"))
            assert await stores.uploads.abandoned(stores.clock.now() + 60) == []
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == ["s"]

    run(scenario())
