"""Manifests without a tag become unneeded, unless a tag, an index, a subject or a rule keeps them, in every store."""

import pytest

from simple_registry.oci.names import Tag
from simple_registry.storage.life import HoldingEvent, HoldingState
from simple_registry.storage.records import (
    HoldingsEnded,
    Place,
    Rehearsed,
    Reviewed,
    ReviewRules,
    Space,
    StillNeeded,
    Waiting,
)
from storage.support import ACTOR, OTHER, REPOSITORY, blob_of, manifest_of, run

LAYER = blob_of(b"layer")
IMAGE = manifest_of(b"image", children=(LAYER.digest,))
INDEX = manifest_of(b"index", children=(IMAGE.digest,))
SIGNATURE = manifest_of(b"signature", subject=INDEX.digest)
OF_SIGNATURE = manifest_of(b"signature of the signature", subject=SIGNATURE.digest)
ALL = (IMAGE, INDEX, SIGNATURE, OF_SIGNATURE)
V1 = Tag("v1")


@pytest.fixture
def rows(stores):
    return stores.rows


async def put(rows, manifest, *tags, repository=REPOSITORY):
    return await rows.manifests.put_manifest(
        repository, manifest, place=Place(""), removals=0, tags=tags, parts=(), actor=ACTOR
    )


async def push_all(rows, *tags):
    await rows.blobs.add_blob(REPOSITORY, LAYER, removals=0, actor=ACTOR)
    for manifest in ALL:
        await put(rows, manifest, *(tags if manifest == INDEX else ()))


async def review(rows, *, pushed_before=9e9, excepted=lambda _: False):
    """Do reviews until none is due. Return how many manifests became unneeded."""
    unneeded, more = 0, True
    while more:
        reviewed = await rows.reviews.review(ReviewRules(pushed_before, excepted), 2)
        unneeded, more = unneeded + reviewed.unneeded, reviewed.more
    return unneeded


async def states(rows):
    return [(await rows.manifests.find_manifest(REPOSITORY, each.digest)).holding.state for each in ALL]


NEEDED, UNNEEDED = [HoldingState.NEEDED] * len(ALL), [HoldingState.UNNEEDED] * len(ALL)


def test_what_a_tag_leads_to_is_kept_with_its_children_and_referrers(rows):
    async def scenario():
        await push_all(rows, V1)
        assert await review(rows) == 0
        assert await states(rows) == NEEDED

    run(scenario())


@pytest.mark.parametrize("how", ["removed", "moved"])
def test_all_become_unneeded_once_the_tag_is_gone(rows, clock, how):
    async def scenario():
        await push_all(rows, V1)
        assert await review(rows) == 0
        if how == "removed":
            await rows.tags.remove_tag(REPOSITORY, V1, actor=ACTOR)
        else:
            await put(rows, manifest_of(b"next"), V1)
        clock.time += 100
        assert await review(rows) == len(ALL)
        assert await states(rows) == UNNEEDED
        layer = await rows.blobs.find_blob(REPOSITORY, LAYER.digest)
        assert (layer.holding.state, layer.holding.since) == (HoldingState.UNNEEDED, clock.time)

    run(scenario())


def test_the_end_of_an_index_lets_its_children_and_referrers_go(rows):
    async def scenario():
        await push_all(rows, V1)
        await review(rows)
        await rows.manifests.remove_manifest(REPOSITORY, INDEX.digest, tags=[V1], actor=ACTOR)
        assert await review(rows) == len(ALL) - 1

    run(scenario())


def test_a_push_brings_back_all_that_became_unneeded_together(rows):
    async def scenario():
        await push_all(rows)
        assert await review(rows) == len(ALL)
        await put(rows, INDEX, V1)
        assert await states(rows) == NEEDED
        assert (await rows.blobs.find_blob(REPOSITORY, LAYER.digest)).holding.state is HoldingState.NEEDED
        assert await review(rows) == 0

    run(scenario())


@pytest.mark.parametrize("event", [HoldingEvent.ASKED, HoldingEvent.SEEN])
def test_a_head_prolongs_all_that_became_unneeded_together(rows, clock, event):
    async def scenario():
        await push_all(rows)
        await review(rows)
        clock.time += 100
        assert await rows.manifests.renew_manifest(REPOSITORY, INDEX.digest, event)
        found = [(await rows.manifests.find_manifest(REPOSITORY, each.digest)).holding for each in ALL]
        assert {(each.state, each.since, each.extended) for each in found} == {
            (HoldingState.UNNEEDED, clock.time, event is HoldingEvent.SEEN)
        }
        assert (await rows.blobs.find_blob(REPOSITORY, LAYER.digest)).holding.since == clock.time
        clock.time += 100
        assert await rows.manifests.renew_manifest(REPOSITORY, INDEX.digest, event) == (event is HoldingEvent.ASKED)

    run(scenario())


def test_a_needed_manifest_is_not_renewed(rows):
    async def scenario():
        await push_all(rows)
        assert not await rows.manifests.renew_manifest(REPOSITORY, INDEX.digest, HoldingEvent.ASKED)

    run(scenario())


def test_young_manifests_wait(rows, clock):
    async def scenario():
        await put(rows, IMAGE)
        assert await review(rows, pushed_before=clock.time - 100) == 0
        clock.time += 99
        assert await review(rows, pushed_before=clock.time - 100) == 0
        clock.time += 1
        assert await review(rows, pushed_before=clock.time - 100) == 1

    run(scenario())


def test_excepted_repositories_are_reviewed_again_within_a_day(rows, clock):
    async def scenario():
        await put(rows, IMAGE)
        await put(rows, IMAGE, repository=OTHER)
        assert await review(rows, excepted=lambda repository: repository == OTHER) == 1
        assert await review(rows) == 0
        clock.time += 24 * 3600
        assert await review(rows) == 1

    run(scenario())


def test_parts_of_an_unneeded_manifest_are_not_deleted_unless_that_is_allowed(rows):
    async def deletions():
        blob = await rows.blobs.remove_blob(REPOSITORY, LAYER.digest, actor=ACTOR, unless_needed=True)
        image = await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR, unless_needed=True)
        return blob, image

    async def scenario():
        await push_all(rows)
        await review(rows)
        assert await deletions() == (StillNeeded(IMAGE.digest), StillNeeded(INDEX.digest))
        assert await states(rows) == UNNEEDED
        assert await rows.blobs.find_blob(REPOSITORY, LAYER.digest) is not None

    run(scenario())


def test_a_push_of_an_index_restores_the_blobs_of_its_children(rows):
    async def scenario():
        await push_all(rows)
        await review(rows)
        await rows.blobs.remove_blob(REPOSITORY, LAYER.digest, actor=ACTOR)
        assert await rows.blobs.find_blob(REPOSITORY, LAYER.digest) is None
        await put(rows, INDEX, V1)
        assert await states(rows) == NEEDED
        assert (await rows.blobs.find_blob(REPOSITORY, LAYER.digest)).holding.state is HoldingState.NEEDED

    run(scenario())


def test_unneeded_manifests_end_with_their_parts_after_what_refers_to_them(rows, clock):
    async def scenario():
        await push_all(rows)
        await review(rows)
        assert await rows.garbage.end_holdings(clock.time, 99) == HoldingsEnded()
        ended = [await rows.garbage.end_holdings(clock.time + 1, 99) for _ in range(3)]
        assert sum(each.total for each in ended) == len(ALL) + 1
        assert ended[-1] == HoldingsEnded()
        assert not await rows.usage.find_usage(REPOSITORY)

    run(scenario())


def test_a_rehearsal_says_what_would_happen_and_changes_nothing(rows, clock):
    async def scenario():
        await push_all(rows)
        await rows.manifests.remove_manifest(REPOSITORY, SIGNATURE.digest, tags=(), actor=ACTOR)
        contents = (LAYER, *(each.stored.content for each in ALL))
        rules = ReviewRules(9e9, lambda _: False)
        for _attempt in range(2):
            nothing = await rows.garbage.rehearse(clock.time, None)
            assert nothing == Rehearsed(0, HoldingsEnded(), Space())
            everything = await rows.garbage.rehearse(clock.time + 1, rules)
            removed = Space(len(contents), sum(each.size for each in contents))
            assert everything == Rehearsed(3, HoldingsEnded(len(ALL), 1), removed)
        assert await rows.garbage.waiting() == Waiting(Space(1, SIGNATURE.size), Space(), clock.time)
        assert await review(rows) == len(ALL) - 1

    run(scenario())


def test_a_review_stops_at_its_limit(rows):
    async def scenario():
        for number in range(3):
            await put(rows, manifest_of(b"%d" % number))
        assert await rows.reviews.review(ReviewRules(9e9, lambda _: False), 2) == Reviewed(2, more=True)

    run(scenario())
