"""Counts, parallel work, and verified streams."""

import asyncio

import pytest

from simple_registry.content import InMemory
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import BlobUnknown, ManifestBlobUnknown, PartSizeInvalid, Several
from simple_registry.operations.moving.tally import WORKERS, Tally, in_parallel, said, verified
from simple_registry.storage.sources import BytesDiffer, SourceDefect


def test_defects_are_counted_and_reported():
    found = []
    tally = Tally(found.append)
    tally.defect("a", "broken")
    assert (tally.defects, found) == (1, [SourceDefect("a", "broken")])


def test_what_was_there_is_counted_apart():
    tally = Tally(print)
    tally.count_blob(7)
    tally.count_blob(None)
    tally.count_manifest(changed=True, tags=2)
    tally.count_manifest(changed=False, tags=2)
    assert (tally.blobs, tally.bytes, tally.manifests, tally.tags, tally.present) == (1, 7, 1, 2, 2)


def test_each_item_is_acted_on_a_few_at_a_time():
    running, most, done = 0, 0, []

    async def act(item):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        done.append(item)

    asyncio.run(in_parallel(range(20), act))
    assert sorted(done) == list(range(20))
    assert most == WORKERS


def test_the_first_error_ends_all_work():
    done = []

    async def act(item):
        if item == 0:
            raise ValueError
        await asyncio.sleep(0)
        done.append(item)

    with pytest.raises(ValueError):
        asyncio.run(in_parallel(range(1000), act))
    assert len(done) <= WORKERS


async def read(data, digest):
    return b"".join([piece async for piece in verified(InMemory(data), digest, "here")])


def test_a_stream_is_verified_at_its_end():
    assert asyncio.run(read(b"data", digest_of(b"data", "sha512"))) == b"data"
    with pytest.raises(BytesDiffer, match="cannot use here: its bytes hash to"):
        asyncio.run(read(b"data", digest_of(b"other")))


def test_a_refusal_is_told_with_its_facts():
    error = Several([ManifestBlobUnknown(digest="x"), PartSizeInvalid(digest="y", described=1, actual=2)])
    assert said(error) == (
        "manifest references a manifest or blob unknown to registry (digest x); "
        "a descriptor's size differs from that of its content (digest y, described 1, actual 2)"
    )
    assert said(BlobUnknown()) == "blob unknown to registry"
