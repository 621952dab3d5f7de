"""The contract of upload stores."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from simple_registry.content import ContentInterrupted
from simple_registry.faults import SessionBytesMissing, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.records import ContentRecord, Received
from storage.support import blob_of, run
from support.streams import stream_of


@pytest.fixture
def stores(stores_of_bytes):
    return stores_of_bytes


DATA = bytes(range(256)) * 5000
"""More than one batch."""
NOTHING = Received()


async def interrupted(*chunks):
    for chunk in chunks:
        yield chunk
    raise ContentInterrupted(sum(map(len, chunks)), None)


async def extend(stores, *chunks, received=NOTHING, session="s", algorithm="sha256", last=False):
    return await stores.uploads.extend(session, received, algorithm, stream_of(*chunks), last=last)


async def publish(stores, received, data, *, session="s", algorithm="sha256"):
    """Publish what was received, and return the content that it is then."""
    digest = digest_of(data, algorithm)
    return ContentRecord(digest, len(data), (await stores.uploads.publish(session, received, digest)).place)


async def push(stores, data, *, session="s"):
    received = await extend(stores, data, session=session)
    content = await publish(stores, received, data, session=session)
    await stores.uploads.discard(session, received)
    return content


def value(data, algorithm="sha256"):
    """Return what was received, but for the part that only the store reads."""
    return (len(data), digest_of(data, algorithm))


def seen(received):
    return (received.size, received.digest)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("step", [999, 70_000, 400_000, len(DATA)])
@pytest.mark.parametrize("last", [False, True])
def test_received_bytes_can_be_published(stores, step, algorithm, last):
    async def scenario():
        chunks = [DATA[start : start + step] for start in range(0, len(DATA), step)]
        received = await extend(stores, *chunks, algorithm=algorithm, last=last)
        assert seen(received) == value(DATA, algorithm)
        assert await stores.read(await publish(stores, received, DATA, algorithm=algorithm)) == DATA

    run(scenario())


def test_a_session_is_extended_again_and_again(stores):
    async def scenario():
        one = await extend(stores, b"one ")
        two = await extend(stores, b"two ", received=one)
        three = await extend(stores, b"three", received=two)
        assert [seen(each) for each in (one, two, three)] == [
            value(b"one "),
            value(b"one two "),
            value(b"one two three"),
        ]

    run(scenario())


def test_later_bytes_do_not_count(stores):
    async def scenario():
        one = await extend(stores, b"one ")
        await extend(stores, b"two three", received=one)
        four = await extend(stores, b"four", received=one)
        assert seen(four) == value(b"one four")
        assert await stores.read(await publish(stores, four, b"one four")) == b"one four"

    run(scenario())


def test_later_bytes_are_not_published_either(stores):
    async def scenario():
        one = await extend(stores, b"one")
        await extend(stores, b" two", received=one)
        assert await stores.uploads.digest("s", one, "sha512") == digest_of(b"one", "sha512")
        assert await stores.read(await publish(stores, one, b"one")) == b"one"

    run(scenario())


@pytest.mark.parametrize("more", [(), (b"more",)])
def test_bytes_that_are_not_here_are_missed_and_nothing_changes(stores, more):
    async def scenario():
        one = await extend(stores, b"one")
        await stores.uploads.discard("s", one)
        with pytest.raises(SessionBytesMissing):
            await extend(stores, *more, received=one)
        with pytest.raises(StorageFault):
            await stores.uploads.digest("s", one, "sha512")
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


@pytest.mark.parametrize("chunks", [(), (b"",), (b"", b"")])
def test_an_empty_stream_changes_nothing(stores, chunks):
    async def scenario():
        assert await extend(stores, *chunks) == NOTHING
        one = await extend(stores, b"one")
        assert await extend(stores, *chunks, received=one) == one
        assert await extend(stores, *chunks, received=one, last=True) == one

    run(scenario())


@pytest.mark.parametrize("before", [b"", b"kept "])
def test_a_broken_stream_passes_through_and_leaves_the_old_value_true(stores, before):
    async def scenario():
        kept = await extend(stores, before)
        with pytest.raises(ContentInterrupted):
            await stores.uploads.extend("s", kept, "sha256", interrupted(DATA, b"lost"))
        assert await stores.uploads.has("s", kept)
        assert seen(await extend(stores, b"and more", received=kept)) == value(before + b"and more")

    run(scenario())


def test_a_stream_that_breaks_at_once_leaves_nothing(stores):
    async def scenario():
        with pytest.raises(ContentInterrupted):
            await stores.uploads.extend("s", NOTHING, "sha256", interrupted())
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


def test_a_cancelled_call_leaves_the_old_value_true(stores):
    async def endless(started):
        while True:
            yield DATA
            started.set()
            await asyncio.sleep(0)

    async def scenario():
        kept = await extend(stores, b"kept ")
        started = asyncio.Event()
        task = asyncio.create_task(stores.uploads.extend("s", kept, "sha256", endless(started)))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert seen(await extend(stores, b"again", received=kept)) == value(b"kept again")

    run(scenario())


def test_the_bytes_of_a_session_can_be_asked_for(stores):
    async def scenario():
        assert await stores.uploads.has("s", NOTHING)
        received = await extend(stores, b"data")
        assert await stores.uploads.has("s", received)
        assert not await stores.uploads.has("t", received)
        await stores.uploads.discard("s", received)
        assert not await stores.uploads.has("s", received)

    run(scenario())


def test_sessions_do_not_meet(stores):
    async def scenario():
        chunks = [bytes([number]) * 100_000 for number in range(8)]
        each = await asyncio.gather(*(extend(stores, *chunks, session=f"s{number}") for number in range(8)))
        assert {seen(received) for received in each} == {value(b"".join(chunks))}

    run(scenario())


def test_a_session_without_bytes_can_be_published(stores):
    async def scenario():
        assert await stores.uploads.digest("s", NOTHING, "sha256") == digest_of(b"")
        assert await stores.read(await publish(stores, NOTHING, b"")) == b""

    run(scenario())


def test_publishing_twice_is_fine(stores):
    async def scenario():
        received = await extend(stores, b"data")
        contents = [await publish(stores, received, b"data") for _ in range(2)]
        await stores.uploads.discard("s", received)
        for content in contents:
            assert await stores.read(content) == b"data"

    run(scenario())


@pytest.mark.parametrize("size", [0, 3])
def test_content_that_was_published_keeps_its_bytes_when_fewer_are_published(stores, size):
    """As when the row of the content could not be written: the session continues with the value before."""

    async def scenario():
        one = await extend(stores, b"one")
        content = await publish(stores, await extend(stores, b" two", received=one, last=True), b"one two")
        with suppress(SessionBytesMissing):  # a store may have bytes in one place only
            data = b"one"[:size]
            assert await stores.read(await publish(stores, one if size else NOTHING, data)) == data
        assert await stores.read(content) == b"one two"

    run(scenario())


def test_publishing_missing_bytes_is_a_fault(stores):
    with pytest.raises(SessionBytesMissing):
        run(stores.uploads.publish("s", Received(4, digest_of(b"data")), digest_of(b"data")))
    assert run(stores.read(blob_of(b"data"))) is None


def test_many_may_publish_the_same_content_at_once(stores):
    async def scenario():
        contents = await asyncio.gather(*(push(stores, b"data", session=f"s{number}") for number in range(50)))
        for content in contents:
            assert await stores.read(content) == b"data"
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


@pytest.mark.parametrize("damaged", [b"dat*", b"", b"data and more"])
def test_damaged_content_is_healed(stores, damaged):
    async def scenario():
        await stores.content.put(digest_of(b"data"), damaged)
        assert await stores.read(await push(stores, b"data")) == b"data"

    run(scenario())


def test_the_digest_can_be_had_in_another_algorithm(stores):
    async def scenario():
        received = await extend(stores, DATA)
        assert await stores.uploads.digest("s", received, "sha512") == digest_of(DATA, "sha512")

    run(scenario())


def test_a_session_whose_digest_is_not_known_is_extended(stores):
    async def scenario():
        received = replace(await extend(stores, b"one "), digest=None)
        assert await extend(stores, received=received) == received
        assert seen(await extend(stores, b"two", received=received)) == value(b"one two")

    run(scenario())


def test_discarded_sessions_are_gone_and_discarding_again_is_fine(stores):
    async def scenario():
        received = await extend(stores, b"data")
        await extend(stores, b" and more", received=received)
        await stores.uploads.discard("s", received)
        await stores.uploads.discard("s", received)
        await stores.uploads.discard("t", NOTHING)
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []
        assert seen(await extend(stores, b"new")) == value(b"new")

    run(scenario())


def test_abandoned_sessions_are_those_not_written_since(stores):
    async def scenario():
        await extend(stores, b"data")
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == ["s"]
        assert await stores.uploads.abandoned(stores.clock.now() - 60) == []
        await stores.uploads.discard("s", NOTHING)
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


def test_a_session_that_is_being_written_is_not_abandoned(stores):
    async def slow(written, goes_on):
        yield DATA
        yield DATA
        written.set()
        await goes_on.wait()

    async def scenario():
        written, goes_on = asyncio.Event(), asyncio.Event()
        extending = asyncio.create_task(stores.uploads.extend("s", NOTHING, "sha256", slow(written, goes_on)))
        await written.wait()
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []
        goes_on.set()
        await extending
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == ["s"]

    run(scenario())
