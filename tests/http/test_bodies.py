"""Bodies of requests: on time, as long as announced, drained after a refusal."""

import asyncio

import pytest

from simple_registry.content import ContentInterrupted, stream_of
from simple_registry.http import bodies
from simple_registry.http.bodies import RequestBody, read_bounded
from simple_registry.oci.errors import ManifestTooLarge, RequestTimeout


class Client:
    """Sends chunks and counts what was taken; then ends, or stops in the middle."""

    def __init__(self, *chunks, stall=False):
        self.chunks = list(chunks)
        self.taken = 0
        self.stall = stall

    def __aiter__(self):
        return self

    async def __anext__(self):
        if self.taken < len(self.chunks):
            self.taken += 1
            return self.chunks[self.taken - 1]
        if self.stall:
            await asyncio.Event().wait()
        raise StopAsyncIteration


def read(body):
    async def everything():
        return [chunk async for chunk in body]

    return asyncio.run(everything())


def test_chunks_come_as_they_were_sent():
    assert read(RequestBody(Client(b"one", b"two"), announced=6, timeout=1)) == [b"one", b"two"]


def test_a_body_of_unknown_length_ends_where_it_ends():
    assert read(RequestBody(Client(b"one", b"two"), announced=None, timeout=1)) == [b"one", b"two"]


def test_a_body_of_no_bytes_is_not_waited_for():
    assert read(RequestBody(Client(stall=True), announced=0, timeout=60)) == []


def test_a_body_that_ends_early_is_an_interruption():
    with pytest.raises(ContentInterrupted) as interrupted:
        read(RequestBody(Client(b"one"), announced=6, timeout=1))
    assert (interrupted.value.received, interrupted.value.announced) == (3, 6)


def test_a_client_that_stops_in_the_middle_is_given_up():
    with pytest.raises(RequestTimeout):
        read(RequestBody(Client(b"one", stall=True), announced=6, timeout=0.01))


def test_a_bounded_body_is_read_whole_up_to_its_limit():
    body = RequestBody(Client(b"one", b"two"), announced=6, timeout=1)
    assert asyncio.run(read_bounded(body, 6)) == b"onetwo"


def test_a_longer_body_is_refused_by_its_announcement_alone():
    client = Client(b"seven..")
    with pytest.raises(ManifestTooLarge) as refused:
        asyncio.run(read_bounded(RequestBody(client, announced=7, timeout=1), 6))
    assert client.taken == 0
    assert refused.value.facts == {"limit": 6, "size": 7}


def test_a_longer_body_of_unknown_length_is_refused_at_the_first_byte_too_many():
    client = Client(*[b"x"] * 100)
    with pytest.raises(ManifestTooLarge):
        asyncio.run(read_bounded(RequestBody(client, announced=None, timeout=1), 6))
    assert client.taken == 7


def test_draining_takes_what_is_still_sent():
    client = Client(*[b"x" * 10] * 10)
    asyncio.run(RequestBody(client, announced=100, timeout=1).drain(size=1000, timeout=1))
    assert client.taken == 10


def test_draining_takes_no_more_than_its_size():
    client = Client(*[b"x" * 10] * 1000)
    asyncio.run(RequestBody(client, announced=None, timeout=1).drain(size=50, timeout=1))
    assert client.taken == 5


def test_draining_ends_in_time():
    client = Client(b"x", stall=True)
    asyncio.run(RequestBody(client, announced=None, timeout=60).drain(size=1000, timeout=0.01))
    assert client.taken == 1


def test_draining_waits_only_a_moment_for_a_client_that_sends_nothing(monkeypatch):
    monkeypatch.setattr(bodies, "IDLE_DRAIN", 0.01)
    client = Client(stall=True)
    asyncio.run(RequestBody(client, announced=None, timeout=60).drain(size=1000, timeout=60))
    assert client.taken == 0


def test_draining_a_body_that_was_read_takes_nothing():
    async def scenario():
        body = RequestBody(stream_of(b"one"), announced=3, timeout=1)
        assert [chunk async for chunk in body] == [b"one"]
        await body.drain(size=1000, timeout=1)

    asyncio.run(scenario())


class Dribble:
    """Sends a byte at a time, for ever, each well within the time-out."""

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0.01)
        return b"x"


def test_a_client_that_dribbles_is_given_up_although_each_byte_is_in_time():
    with pytest.raises(RequestTimeout):
        read(RequestBody(Dribble(), announced=10**9, timeout=0.1))


def test_only_waiting_counts_and_each_window_has_its_own_time(monkeypatch):
    monkeypatch.setattr(bodies, "WINDOW", 2)

    async def slow_reader():
        body = RequestBody(Client(*[b"xx"] * 8), announced=16, timeout=0.05)
        received = 0
        async for chunk in body:
            received += len(chunk)
            await asyncio.sleep(0.02)  # our own work
        return received

    assert asyncio.run(slow_reader()) == 16


def test_an_abandoned_body_has_nothing_more_to_read():
    body = RequestBody(Client(stall=True), announced=5, timeout=60)
    body.abandon()
    assert body.finished
    asyncio.run(body.drain(size=9, timeout=60))


def test_a_task_that_is_cancelled_while_it_reads_stays_cancelled():
    async def scenario():
        reading = asyncio.ensure_future(
            RequestBody(Client(stall=True), announced=5, timeout=60).drain(size=9, timeout=60)
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    asyncio.run(scenario())
