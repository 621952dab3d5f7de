"""The read-only mode, as every store keeps it."""

from simple_registry.storage.records import ReadOnlyMode
from storage.support import run

MOVE = ReadOnlyMode("a move", 7.5)


def test_the_mode_is_off_until_it_begins_and_after_it_ends(stores):
    mode = stores.rows.mode

    async def scenario():
        assert await mode.find_read_only() is None
        await mode.begin_read_only(MOVE)
        assert await mode.find_read_only() == MOVE
        assert await mode.end_read_only()
        assert await mode.find_read_only() is None
        assert not await mode.end_read_only()

    run(scenario())


def test_beginning_again_replaces_reason_and_start(stores):
    mode, other = stores.rows.mode, ReadOnlyMode("another", 9.0)

    async def scenario():
        await mode.begin_read_only(MOVE)
        await mode.begin_read_only(other)
        assert await mode.find_read_only() == other

    run(scenario())
