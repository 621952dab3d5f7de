"""The contract of content stores."""

import asyncio
from dataclasses import replace

import pytest

from simple_registry.storage.records import ContentRecord
from storage.support import blob_of, run


@pytest.fixture
def stores(stores_of_bytes):
    return stores_of_bytes


async def put(stores, record, data):
    return replace(record, place=(await stores.content.put(record.digest, data)).place)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 300])
def test_put_content_can_be_opened(stores, data, algorithm):
    async def scenario():
        record = await put(stores, blob_of(data, algorithm), data)
        assert await stores.content.has(record)
        assert await stores.read(record) == data
        assert (await stores.content.open(record)).size == len(data)

    run(scenario())


def test_placed_bytes_have_the_stamp_with_which_they_are_opened(stores):
    async def scenario():
        record = blob_of(b"data")
        for data in (b"data", b"atad"):
            placed = await stores.content.put(record.digest, data)
            content = await stores.content.open(replace(record, place=placed.place))
            assert content.stamp == placed.stamp

    run(scenario())


def test_absent_content_is_none(stores):
    assert run(stores.content.open(blob_of(b"x"))) is None
    assert not run(stores.content.has(blob_of(b"x")))


def test_content_of_another_size_is_absent(stores):
    record = run(put(stores, blob_of(b"abc"), b"abc"))
    assert run(stores.content.has(record))
    for size in (2, 4):
        other = ContentRecord(record.digest, size, record.place)
        assert not run(stores.content.has(other))
        assert run(stores.content.open(other)) is None


@pytest.mark.parametrize("damaged", [b"wrong", b"", b"too long"])
def test_content_replaces_existing_bytes(stores, damaged):
    async def scenario():
        await put(stores, blob_of(b"right"), damaged)
        assert await stores.read(await put(stores, blob_of(b"right"), b"right")) == b"right"

    run(scenario())


def test_many_may_put_the_same_content_at_once(stores):
    async def scenario():
        records = await asyncio.gather(*(put(stores, blob_of(b"same"), b"same") for _ in range(30)))
        for record in records:
            assert await stores.read(record) == b"same"
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


def test_removed_content_is_gone_and_removing_again_is_fine(stores):
    async def scenario():
        record = await put(stores, blob_of(b"x"), b"x")
        await stores.content.remove(record)
        await stores.content.remove(record)
        assert await stores.content.open(record) is None

    run(scenario())


def test_an_existing_store_passes_its_check(stores):
    stores.content.check()
