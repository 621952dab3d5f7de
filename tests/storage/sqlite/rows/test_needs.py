"""What a manifest keeps is found in linear time, however many paths lead to it."""

import time

from simple_registry.storage.life import HoldingEvent, HoldingState
from simple_registry.storage.records import Place
from simple_registry.storage.sqlite.rows import needs
from storage.support import ACTOR, REPOSITORY, blob_of, manifest_of, run

DEPTH = 40
LAYER = blob_of(b"layer")


def levels():
    """Return indexes from the lowest to the highest: two in each level, each with both below as children."""
    below = [manifest_of(b"image", children=(LAYER.digest,))]
    made = list(below)
    for level in range(DEPTH):
        children = tuple(manifest.digest for manifest in below)
        below = [manifest_of(b"%d %d" % (level, number), children=children) for number in range(2)]
        made += below
    return made


async def put(store, manifest):
    return await store.manifests.put_manifest(
        REPOSITORY, manifest, place=Place(""), removals=0, tags=(), parts=(), actor=ACTOR
    )


def test_nested_indexes_with_doubled_edges_are_kept_and_prolonged_in_linear_time(store, look, clock):
    manifests = levels()

    async def scenario():
        await store.blobs.add_blob(REPOSITORY, LAYER, removals=0, actor=ACTOR)
        for manifest in manifests:
            await put(store, manifest)
        look("UPDATE manifests SET state = 'unneeded'")
        look("UPDATE repository_blobs SET state = 'unneeded'")
        top = manifests[-1].digest
        clock.time += 100
        begin = time.monotonic()
        assert await store.manifests.renew_manifest(REPOSITORY, top, HoldingEvent.ASKED)
        assert time.monotonic() - begin < 1
        assert look("SELECT count(*) FROM manifests WHERE since = ?", clock.time) == [(len(manifests) - 1,)]
        assert (await store.blobs.find_blob(REPOSITORY, LAYER.digest)).holding.since == clock.time
        await put(store, manifests[-1])
        assert look("SELECT count(*) FROM manifests WHERE state = 'needed'") == [(len(manifests) - 1,)]
        assert (await store.blobs.find_blob(REPOSITORY, LAYER.digest)).holding.state is HoldingState.NEEDED

    run(scenario())


def test_the_parts_of_manifests_are_looked_up_by_manifest(plan):
    """And not by reading the parts of all manifests of the repository, which serves an order that nothing needs."""
    assert any("(repository=? AND digest=?)" in step for step in plan(needs._PARTS))
