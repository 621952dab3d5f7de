"""A body between connection and handler, with a simulated connection."""

import asyncio
from types import SimpleNamespace

import pytest

from simple_registry.content import ContentInterrupted
from simple_registry.wire.body import NO_BODY, READ_AHEAD, ArrivingBody
from simple_registry.wire.budget import Budget
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.shared import NEVER


class Source:
    """A connection that records whether it reads."""

    def __init__(self):
        self.reads, self.asked = True, 0

    def pause_reading(self):
        self.reads = False

    def resume_reading(self):
        self.reads = True

    async def ask_for_body(self):
        self.asked += 1


@pytest.fixture
def make():
    """Return a function that makes a body, its source, and the budget."""

    def begin(announced=None, total=10 * READ_AHEAD):
        source, budget = Source(), Budget(total, total)
        loop = asyncio.get_running_loop()
        shared = SimpleNamespace(loop=loop, limits=WireLimits(), budget=budget)
        return ArrivingBody(source, shared, "a", announced), source, budget

    return begin


async def read(body):
    return b"".join([chunk async for chunk in body])


def test_no_body_has_no_bytes():
    assert asyncio.run(read(NO_BODY)) == b""
    assert NO_BODY.complete
    assert not NO_BODY.reserve(1)


def test_bytes_are_read_as_they_arrive_and_the_rest_is_returned(make):
    async def scenario():
        body, source, budget = make(6)
        reading = asyncio.ensure_future(read(body))
        await asyncio.sleep(0)
        assert source.asked == 1
        assert body.deadline < NEVER
        assert body.feed(b"one") == b""
        await asyncio.sleep(0)
        assert body.feed(b"twoNEXT") == b"NEXT"
        assert await reading == b"onetwo"
        assert (body.received, body.complete, body.deadline, budget.held) == (6, True, NEVER, 0)

    asyncio.run(scenario())


def test_100_continue_is_not_requested_after_bytes_arrived(make):
    async def scenario():
        body, source, _ = make(6)
        body.feed(b"onetwo")
        await read(body)
        assert source.asked == 0

    asyncio.run(scenario())


def test_a_fault_replaces_unread_bytes(make):
    async def scenario():
        body, _, budget = make(6)
        body.feed(b"one")
        body.interrupt(ContentInterrupted(3, 6))
        with pytest.raises(ContentInterrupted):
            await read(body)
        body.end()
        assert budget.held == 0

    asyncio.run(scenario())


def test_reading_pauses_while_the_handler_is_behind(make):
    async def scenario():
        body, source, budget = make(READ_AHEAD * 2)
        body.feed(bytes(READ_AHEAD))
        assert (source.reads, budget.held) == (False, READ_AHEAD)
        chunks = aiter(body)
        assert len(await anext(chunks)) == READ_AHEAD
        assert (source.reads, budget.held) == (True, 0)

    asyncio.run(scenario())


def test_reading_pauses_when_the_budget_is_used_up(make):
    async def scenario():
        body, source, budget = make(100, total=10)
        body.feed(bytes(11))
        assert (source.reads, budget.held) == (False, 0)
        await anext(aiter(body))
        assert source.reads

    asyncio.run(scenario())


def test_memory_reserved_by_a_handler_is_released_at_its_end(make):
    async def scenario():
        body, _, budget = make(100, total=50)
        assert body.reserve(50)
        assert not body.reserve(1)
        body.end()
        assert budget.held == 0
        body.feed(bytes(100))
        assert (body.complete, budget.held) == (True, 0)

    asyncio.run(scenario())
