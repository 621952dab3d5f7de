"""What every content store promises."""

import asyncio

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.storage.records import Blob
from storage.support import blob_of, run


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
@pytest.mark.parametrize("data", [b"", b"x", bytes(range(256)) * 300])
def test_put_content_can_be_opened(stores, data, algorithm):
    async def scenario():
        await stores.content.put(digest_of(data, algorithm), data)
        assert await stores.read(digest_of(data, algorithm)) == data
        assert (await stores.content.open(digest_of(data, algorithm))).size == len(data)

    run(scenario())


def test_absent_content_is_none(stores):
    assert run(stores.content.open(digest_of(b"x"))) is None
    assert not stores.content.present(blob_of(b"x"))


def test_present_asks_for_the_size_too(stores):
    run(stores.content.put(digest_of(b"abc"), b"abc"))
    assert stores.content.present(Blob(digest_of(b"abc"), 3))
    assert not stores.content.present(Blob(digest_of(b"abc"), 4))


@pytest.mark.parametrize("damaged", [b"wrong", b"", b"too long"])
def test_content_replaces_what_is_there(stores, damaged):
    async def scenario():
        digest = digest_of(b"right")
        await stores.content.put(digest, damaged)
        await stores.content.put(digest, b"right")
        assert await stores.read(digest) == b"right"

    run(scenario())


def test_many_may_put_the_same_content_at_once(stores):
    async def scenario():
        digest = digest_of(b"same")
        await asyncio.gather(*(stores.content.put(digest, b"same") for _ in range(30)))
        assert await stores.read(digest) == b"same"
        assert await stores.uploads.abandoned(stores.clock.now() + 60) == []

    run(scenario())


def test_removed_content_is_gone_and_removing_again_is_fine(stores):
    async def scenario():
        digest = digest_of(b"x")
        await stores.content.put(digest, b"x")
        stores.content.remove(digest)
        stores.content.remove(digest)
        assert await stores.content.open(digest) is None

    run(scenario())


def test_a_store_that_is_there_passes_its_check(stores):
    stores.content.check()
