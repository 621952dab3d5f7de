"""What every upload store promises."""

import asyncio

import pytest

from simple_registry.content import ContentInterrupted, stream_of
from simple_registry.faults import SessionBusy, StorageFault
from simple_registry.oci.digests import digest_of
from storage.support import blob_of, run

DATA = bytes(range(256)) * 5000
"""More than one batch."""


async def interrupted(*chunks):
    for chunk in chunks:
        yield chunk
    raise ContentInterrupted(sum(map(len, chunks)), None)


async def upload(stores, session, *chunks, received=0, algorithm="sha256"):
    async with stores.uploads.write(session, algorithm=algorithm) as writer:
        await writer.resume(received)
        assert await writer.append(stream_of(*chunks)) == sum(map(len, chunks))
        await writer.sync()
        return await writer.digest()


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("step", [999, 70_000, 400_000, len(DATA)])
def test_what_was_appended_can_be_published(stores, step, algorithm):
    async def scenario():
        chunks = [DATA[start : start + step] for start in range(0, len(DATA), step)]
        digest = await upload(stores, "s", *chunks, algorithm=algorithm)
        assert digest == digest_of(DATA, algorithm)
        await stores.uploads.publish("s", blob_of(DATA, algorithm))
        assert await stores.read(digest) == DATA

    run(scenario())


def test_a_session_is_continued_by_the_next_writer(stores):
    async def scenario():
        await upload(stores, "s", b"one ")
        assert await upload(stores, "s", b"two ", received=4) == digest_of(b"one two ")
        assert await upload(stores, "s", b"three", received=8) == digest_of(b"one two three")

    run(scenario())


def test_resume_drops_later_bytes(stores):
    async def scenario():
        await upload(stores, "s", b"one two three")
        assert await upload(stores, "s", b"four", received=4) == digest_of(b"one four")
        await stores.uploads.publish("s", blob_of(b"one four"))
        assert await stores.read(digest_of(b"one four")) == b"one four"

    run(scenario())


def test_resume_beyond_what_is_there_is_a_fault_and_changes_nothing(stores):
    async def scenario():
        await upload(stores, "s", b"one")
        with pytest.raises(StorageFault):
            await upload(stores, "s", received=4)
        assert await stores.uploads.digest("s", "sha256") == digest_of(b"one")

    run(scenario())


def test_a_broken_stream_passes_through_and_resume_undoes_it(stores):
    async def scenario():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            await writer.append(stream_of(b"kept "))
            await writer.sync()
            with pytest.raises(ContentInterrupted):
                await writer.append(interrupted(DATA, b"lost"))
            await writer.resume(5)
            await writer.append(stream_of(b"and more"))
            assert await writer.digest() == digest_of(b"kept and more")

    run(scenario())


def test_a_writer_left_in_the_middle_leaves_a_session_that_can_be_resumed(stores):
    async def break_off():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(5)
            await writer.append(interrupted(DATA, b"lost"))

    async def scenario():
        await upload(stores, "s", b"kept ")
        with pytest.raises(ContentInterrupted):
            await break_off()
        assert await upload(stores, "s", b"and more", received=5) == digest_of(b"kept and more")

    run(scenario())


def test_a_cancelled_writer_lets_go_of_the_session(stores):
    async def endless(started):
        while True:
            yield DATA
            started.set()
            await asyncio.sleep(0)

    async def append(started):
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            await writer.append(endless(started))

    async def scenario():
        started = asyncio.Event()
        task = asyncio.create_task(append(started))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await upload(stores, "s", b"again") == digest_of(b"again")

    run(scenario())


def test_a_second_writer_is_refused_at_once(stores):
    async def scenario():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            await writer.append(stream_of(b"first"))
            with pytest.raises(SessionBusy):
                await upload(stores, "s", b"second")
            async with stores.uploads.write("t", algorithm="sha256"):
                pass  # another session is free
            assert await writer.digest() == digest_of(b"first")
        assert await upload(stores, "s", b"third") == digest_of(b"third")

    run(scenario())


def test_a_published_session_is_held_until_its_writer_lets_go(stores):
    async def scenario():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            await writer.append(stream_of(b"data"))
            await writer.sync()
            await stores.uploads.publish("s", blob_of(b"data"))
            with pytest.raises(SessionBusy):
                await upload(stores, "s", b"second")
        assert await upload(stores, "s", b"third") == digest_of(b"third")

    run(scenario())


def test_the_bytes_of_a_session_can_be_asked_for(stores):
    async def scenario():
        assert stores.uploads.has("s", 0)
        assert not stores.uploads.has("s", 1)
        await upload(stores, "s", b"data")
        assert stores.uploads.has("s", 4)
        assert not stores.uploads.has("s", 5)
        await stores.uploads.publish("s", blob_of(b"data"))
        assert not stores.uploads.has("s", 4)

    run(scenario())


def test_of_many_writers_one_wins_and_nothing_interleaves(stores):
    async def attempt(number):
        data = str(number).encode() * 400_000
        try:
            return await upload(stores, "s", *(data[start : start + 50_000] for start in range(0, len(data), 50_000)))
        except SessionBusy:
            return None

    async def scenario():
        digests = await asyncio.gather(*map(attempt, range(8)))
        assert await stores.uploads.digest("s", "sha256") in digests

    run(scenario())


def test_a_session_without_bytes_can_be_published(stores):
    async def scenario():
        async with stores.uploads.write("s", algorithm="sha256") as writer:
            await writer.resume(0)
            assert await writer.append(stream_of()) == 0
            assert await writer.digest() == digest_of(b"")
            await stores.uploads.publish("s", blob_of(b""))
        assert await stores.read(digest_of(b"")) == b""

    run(scenario())


def test_a_session_that_never_got_a_byte_leaves_nothing(stores):
    async def scenario():
        await upload(stores, "s")
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


def test_publishing_twice_is_fine(stores):
    async def scenario():
        await upload(stores, "s", b"data")
        await stores.uploads.publish("s", blob_of(b"data"))
        await stores.uploads.publish("s", blob_of(b"data"))
        assert await stores.read(digest_of(b"data")) == b"data"

    run(scenario())


def test_publishing_what_is_not_there_is_a_fault(stores):
    with pytest.raises(StorageFault):
        run(stores.uploads.publish("s", blob_of(b"data")))
    assert run(stores.content.open(digest_of(b"data"))) is None


def test_publishing_another_size_is_a_fault_and_names_nothing(stores):
    async def scenario():
        await upload(stores, "s", b"data and more")
        with pytest.raises(StorageFault):
            await stores.uploads.publish("s", blob_of(b"data"))
        assert await stores.content.open(digest_of(b"data")) is None
        assert await stores.uploads.digest("s", "sha256") == digest_of(b"data and more")

    run(scenario())


def test_many_may_publish_the_same_content_at_once(stores):
    async def push(session):
        await upload(stores, session, b"data")
        await stores.uploads.publish(session, blob_of(b"data"))

    async def scenario():
        await asyncio.gather(*(push(f"s{number}") for number in range(50)))
        assert await stores.read(digest_of(b"data")) == b"data"
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


@pytest.mark.parametrize("damaged", [b"dat*", b"", b"data and more"])
def test_damaged_content_is_healed(stores, damaged):
    async def scenario():
        await stores.content.put(digest_of(b"data"), damaged)
        await upload(stores, "s", b"data")
        await stores.uploads.publish("s", blob_of(b"data"))
        assert await stores.read(digest_of(b"data")) == b"data"

    run(scenario())


def test_the_digest_can_be_had_in_another_algorithm(stores):
    async def scenario():
        await upload(stores, "s", DATA)
        assert await stores.uploads.digest("s", "sha512") == digest_of(DATA, "sha512")

    run(scenario())


def test_removed_sessions_are_gone_and_removing_again_is_fine(stores):
    async def scenario():
        await upload(stores, "s", b"data")
        await stores.uploads.remove("s")
        await stores.uploads.remove("s")
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []
        assert await upload(stores, "s", b"new") == digest_of(b"new")

    run(scenario())


def test_abandoned_sessions_are_those_not_written_since(stores):
    async def scenario():
        await upload(stores, "s", b"data")
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == ["s"]
        assert await stores.uploads.abandoned(stores.clock.now() - 60) == []

    run(scenario())
