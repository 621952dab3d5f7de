"""The stores over whole objects, beyond their contracts: their reads, and the remains of a failure."""

import asyncio
import uuid

import pytest

from simple_registry.content import ContentInterrupted, Span
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.records import ContentRecord, Received
from storage.support import run
from support.object_store.client import Objects, object_server
from support.object_store.stores import PART, ObjectContentStore, ObjectUploadStore
from support.streams import stream_of

DATA = bytes(range(256)) * 300


@pytest.fixture(scope="module")
def port():
    with object_server() as port:
        yield port


@pytest.fixture
def objects(port):
    return Objects(port, f"{uuid.uuid4()}/")


async def extend(store, data, received=None):
    return await store.extend("s", received or Received(), "sha256", stream_of(data))


def test_a_hand_over_costs_one_reading(objects):
    here, there = ObjectUploadStore(objects), ObjectUploadStore(objects)

    async def scenario():
        received = await extend(here, DATA)
        received = await extend(here, DATA, received)
        assert objects.bytes_read == 0
        received = await extend(there, DATA, received)
        assert objects.bytes_read == 2 * len(DATA)
        received = await extend(there, DATA, received)
        assert objects.bytes_read == 2 * len(DATA)
        assert received.digest == digest_of(4 * DATA)

    run(scenario())


def test_a_chunk_of_any_size_is_kept_in_parts(objects):
    async def scenario():
        received = await extend(ObjectUploadStore(objects), bytes(PART + 1))
        assert [entry.size for entry in await objects.list("uploads/s/")].count(PART) == 1
        assert len(received.state.split()) == 2

    run(scenario())


@pytest.mark.parametrize("span", [Span(0, 0), Span(0, 10), Span(70_000, 76_000), Span(0, len(DATA))])
def test_part_of_content_is_streamed(objects, span):
    async def scenario():
        digest = digest_of(DATA)
        store = ObjectContentStore(objects)
        content = await store.open(ContentRecord(digest, len(DATA), (await store.put(digest, DATA)).place))
        assert b"".join([piece async for piece in content.stream(span)]) == DATA[span.start : span.stop]

    run(scenario())


def test_content_removed_between_open_and_read_is_gone(objects):
    async def scenario():
        digest = digest_of(DATA)
        store = ObjectContentStore(objects)
        record = ContentRecord(digest, len(DATA), (await store.put(digest, DATA)).place)
        content = await store.open(record)
        await store.remove(record)
        with pytest.raises(ContentGone):
            await content.read()

    run(scenario())


def test_a_put_that_breaks_off_keeps_nothing(objects):
    async def broken():
        yield DATA
        raise ContentInterrupted(len(DATA), None)

    async def scenario():
        with pytest.raises(ContentInterrupted):
            await objects.put("x", 2 * len(DATA), broken())
        assert await objects.size("x") is None
        assert await objects.list("") == []

    run(scenario())


def test_a_server_that_is_away_is_a_fault():
    with object_server() as port:
        objects = Objects(port)
    with pytest.raises(StorageFault):
        run(objects.size("x"))


def test_every_answer_is_waited_for(objects):
    async def scenario():
        turns = 0
        asking = asyncio.ensure_future(objects.list(""))
        while not asking.done():
            turns += 1
            await asyncio.sleep(0)
        assert turns > 1
        assert await asking == []

    run(scenario())
