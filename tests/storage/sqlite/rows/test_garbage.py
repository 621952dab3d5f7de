"""The queries and the lock of the collector; the contracts cover the rest."""

import asyncio

from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows import garbage as garbage_rows
from storage.support import run


def test_condemned_content_is_found_by_its_index(plan):
    assert "contents_condemned" in plan(garbage_rows._CONDEMNED)[0]


def test_one_process_collects_at_a_time(path, store, clock):
    async def scenario():
        other = rows_of(Database(path), clock)
        entered = asyncio.Event()

        async def collect():
            async with other.garbage.collecting():
                entered.set()

        async with store.garbage.collecting():
            waiting = asyncio.create_task(collect())
            await asyncio.sleep(0.1)
            assert not entered.is_set()
            # Rows are written meanwhile: what the collector removes waits for no writer, nor a writer for it.
            await other.garbage.forget([])
        await waiting
        assert await store.contents.removals() == 1
        await other.close()

    run(scenario())
