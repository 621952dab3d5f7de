"""Side writes: bounded in time and number, one for each key, and finished in the background."""

import asyncio

import pytest

from simple_registry.faults import StorageFull
from simple_registry.operations import side_writes
from simple_registry.operations.side_writes import SideWrites


class Gate:
    """A write that ends when it is opened."""

    def __init__(self):
        self.entered, self.opened = asyncio.Event(), asyncio.Event()
        self.started = self.ended = 0

    async def write(self):
        self.started += 1
        self.entered.set()
        await self.opened.wait()
        self.ended += 1


def test_a_write_is_awaited_and_a_storage_fault_ignored():
    async def main():
        writes, gate = SideWrites(), Gate()
        gate.opened.set()
        for _time in range(2):
            await writes.write("key", gate.write)
        assert gate.ended == 2

        async def fail():
            raise StorageFull("write rows", "the disk")

        await writes.write("key", fail)

        async def bug():
            raise RuntimeError("a bug")

        with pytest.raises(RuntimeError):
            await writes.write("key", bug)

    asyncio.run(main())


def test_a_slow_write_continues_in_the_background(monkeypatch):
    monkeypatch.setattr(side_writes, "MAX_WAIT", 0.01)

    async def main():
        writes, gate, other = SideWrites(), Gate(), Gate()
        await asyncio.gather(*(writes.write("key", gate.write) for _caller in range(3)))
        await writes.write("other", other.write)
        assert (gate.started, gate.ended, other.started) == (1, 0, 1)
        monkeypatch.setattr(side_writes, "MAX_WAIT", 5)
        gate.opened.set()
        await writes.write("key", gate.write)
        assert (gate.started, gate.ended) == (1, 1)

    asyncio.run(main())


def test_a_caller_that_leaves_does_not_cancel_the_write():
    async def main():
        writes, gate = SideWrites(), Gate()
        caller = asyncio.get_running_loop().create_task(writes.write("key", gate.write))
        await gate.entered.wait()
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        gate.opened.set()
        await writes.write("key", gate.write)
        assert gate.ended == 1

    asyncio.run(main())


def test_the_number_of_writes_is_bounded(monkeypatch):
    monkeypatch.setattr(side_writes, "MAX_WAIT", 0.01)
    monkeypatch.setattr(side_writes, "MAX_WRITES", 2)

    async def main():
        writes, gate = SideWrites(), Gate()
        for key in range(3):
            await writes.write(key, gate.write)
        assert gate.started == 2

    asyncio.run(main())
