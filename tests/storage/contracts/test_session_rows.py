"""The contract of stores of upload sessions, and the life of a session, event by event."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from simple_registry.faults import SessionBusy
from simple_registry.oci.digests import digest_of
from simple_registry.operations.session_turns import LIFE, Event, State
from simple_registry.storage.records import Received
from storage.support import run, session_of


@pytest.fixture
def rows(stores):
    return stores.rows.sessions


def bytes_of(size):
    return Received(size, digest_of(bytes(size)))


async def open_sessions(rows, *opened, limit=99, share=99):
    return [await rows.add_session(row, limit=limit, share=share) for row in opened]


class Session:
    """One session, the request that holds it, and its state according to the rows."""

    def __init__(self, rows):
        self.rows = rows
        self.holder = AsyncExitStack()
        self.held = None

    async def do(self, event):
        match event:
            case Event.STARTED:
                await open_sessions(self.rows, session_of())
            case Event.TAKEN:
                self.held = await self.holder.enter_async_context(self.rows.hold("s"))
            case Event.EXTENDED:
                received = bytes_of(self.held.received.size + 1)
                self.held = await self.rows.update_session(replace(self.held, received=received)) or self.held
            case Event.CLAIMED:
                await self.rows.claim_session("s")
            case Event.RELEASED:
                await self.holder.aclose()
            case Event.ENDED:
                await self.rows.remove_session("s")

    async def state(self):
        row = await self.rows.find_session("s")
        if row is None:
            return State.ABSENT
        try:
            async with self.rows.hold("s"):
                return State.FREE
        except SessionBusy:
            return State.HELD if row == self.held else State.CLAIMED


WAYS = {
    State.ABSENT: (),
    State.FREE: (Event.STARTED,),
    State.HELD: (Event.STARTED, Event.TAKEN),
    State.CLAIMED: (Event.STARTED, Event.TAKEN, Event.CLAIMED),
}


@pytest.mark.parametrize(("state", "event"), [(state, event) for state in LIFE for event in LIFE[state]])
def test_every_event_leads_to_the_state_of_the_table(rows, state, event):
    async def scenario():
        session = Session(rows)
        for step in WAYS[state]:
            await session.do(step)
        assert await session.state() is state
        await session.do(event)
        assert await session.state() is LIFE[state][event]
        await session.holder.aclose()

    run(scenario())


def test_an_event_outside_the_table_is_refused_and_changes_nothing(rows):
    async def scenario():
        absent = Session(rows)
        await absent.do(Event.TAKEN)  # what has no row can be held, and has no row all the while
        assert absent.held is None
        await absent.do(Event.CLAIMED)
        await absent.do(Event.ENDED)
        assert await rows.update_session(session_of()) is None
        await absent.holder.aclose()
        assert await absent.state() is State.ABSENT

        claimed = Session(rows)
        for step in WAYS[State.CLAIMED]:
            await claimed.do(step)
        before = await rows.find_session("s")
        await claimed.do(Event.EXTENDED)
        assert await rows.find_session("s") == before
        with pytest.raises(SessionBusy):
            await Session(rows).do(Event.TAKEN)
        await claimed.holder.aclose()

    run(scenario())


def test_holding_a_session_returns_its_current_row(rows):
    async def scenario():
        await open_sessions(rows, session_of())
        async with rows.hold("s") as row:
            updated = await rows.update_session(replace(row, received=bytes_of(4)))
        async with rows.hold("s") as row:
            assert row == updated

    run(scenario())


def test_a_session_is_held_once_and_others_are_free(rows):
    async def scenario():
        async with rows.hold("s"), rows.hold("t"):
            for session in ("s", "t"):
                with pytest.raises(SessionBusy):
                    await Session(rows).holder.enter_async_context(rows.hold(session))
        async with rows.hold("s"):
            pass

    run(scenario())


def test_a_block_that_fails_releases_its_session(rows):
    async def fail():
        async with rows.hold("s"):
            raise ZeroDivisionError

    async def scenario():
        with pytest.raises(ZeroDivisionError):
            await fail()
        async with rows.hold("s"):
            pass

    run(scenario())


def test_a_session_is_kept_replaced_and_removed(rows):
    changed = session_of(
        client="192.0.2.1", received=Received(4, digest_of(b"data"), "state of the store"), touched=6.5
    )

    async def scenario():
        assert await open_sessions(rows, session_of()) == [True]
        assert await rows.find_session("s") == session_of()
        assert await rows.count_sessions() == 1
        assert await rows.update_session(changed) == await rows.find_session("s") == replace(changed, generation=1)
        assert await rows.remove_session("s")
        assert not await rows.remove_session("s")
        assert not await rows.update_session(replace(changed, generation=1))
        assert await rows.claim_session("s") is None

        assert await rows.find_session("s") is None
        assert await rows.count_sessions() == 0

    run(scenario())


def test_a_session_is_updated_only_in_the_generation_that_was_read(rows):
    async def scenario():
        await open_sessions(rows, session_of())
        older = await rows.find_session("s")
        newer = await rows.claim_session("s")
        assert newer == await rows.find_session("s") == replace(older, generation=1)
        assert not await rows.update_session(replace(older, received=bytes_of(4)))
        assert await rows.find_session("s") == newer
        assert await rows.update_session(replace(newer, received=bytes_of(5)))
        assert not await rows.update_session(replace(newer, received=bytes_of(6)))
        assert await rows.find_session("s") == replace(newer, received=bytes_of(5), generation=2)

    run(scenario())


def test_of_many_updates_of_one_generation_one_counts(rows):
    async def scenario():
        await open_sessions(rows, session_of())
        updates = [rows.update_session(session_of(received=bytes_of(number))) for number in range(1, 9)]
        done = await asyncio.gather(*updates)
        assert done.count(None) == 7
        assert await rows.find_session("s") in done

    run(scenario())


def test_sessions_are_bounded_together_and_by_share(rows):
    alice, bob = session_of("a"), session_of("b", identity="bob")
    here, there = (session_of(client, identity="anonymous", client=client) for client in ("192.0.2.1", "2001:db8::/64"))

    async def scenario():
        assert await open_sessions(rows, alice, bob, here, there, share=1) == [True] * 4
        for row in (alice, bob, here, there):
            assert await open_sessions(rows, replace(row, session="more"), share=1) == [False]
        assert await open_sessions(rows, session_of("eve", identity="eve"), limit=4) == [False]
        assert await rows.count_sessions() == 4
        await rows.remove_session("a")
        assert await open_sessions(rows, session_of("again"), limit=4, share=1) == [True]

    run(scenario())


def test_of_many_sessions_opened_at_once_a_share_is_kept(rows):
    async def scenario():
        opened = [rows.add_session(session_of(str(number)), limit=99, share=5) for number in range(20)]
        assert sum(await asyncio.gather(*opened)) == await rows.count_sessions() == 5

    run(scenario())


def test_sessions_are_read_in_pages(rows):
    run(open_sessions(rows, *(session_of(name) for name in "cab")))
    assert [row.session for row in run(rows.page_sessions("", 2))] == ["a", "b"]
    assert [row.session for row in run(rows.page_sessions("b", 2))] == ["c"]


def test_empty_sessions_are_those_of_one_share_untouched_for_longest(rows):
    opened = [session_of(str(number), touched=float(10 - number)) for number in range(5)]
    others = [
        session_of("full", received=bytes_of(1), touched=1.0),
        session_of("bob", identity="bob"),
        session_of("here", client="::1"),
    ]
    run(open_sessions(rows, *opened, *others))
    assert [row.session for row in run(rows.page_empty("alice", "", None, 99))] == ["4", "3", "2", "1", "0"]
    first = run(rows.page_empty("alice", "", None, 2))
    assert [row.session for row in first] == ["4", "3"]
    assert [row.session for row in run(rows.page_empty("alice", "", first[-1], 2))] == ["2", "1"]
    assert run(rows.page_empty("eve", "", None, 9)) == []


def test_empty_sessions_of_one_moment_are_in_order_of_their_ids(rows):
    run(open_sessions(rows, *(session_of(name, touched=1.0) for name in "cab")))
    first = run(rows.page_empty("alice", "", None, 1))
    assert [row.session for row in (*first, *run(rows.page_empty("alice", "", first[0], 9)))] == ["a", "b", "c"]
