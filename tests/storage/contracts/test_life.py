"""Every state of holdings and of content follows the tables for every event, in every store."""

import asyncio
from dataclasses import replace

import pytest

from simple_registry.storage.life import (
    CONTENTS,
    HOLDINGS,
    ContentEvent,
    ContentState,
    HoldingEvent,
    HoldingState,
)
from simple_registry.storage.records import (
    BlobAdded,
    BlobRemoved,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    HoldingsEnded,
    ManifestRemoved,
    Part,
    Place,
    StillNeeded,
)
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, mark_damaged, run
from support.actors import ACTOR

BLOB = blob_of(b"blob")
IMAGE = manifest_of(b"image", children=(BLOB.digest,))
OTHER_IMAGE = manifest_of(b"other image", children=(BLOB.digest,))
LATER = 9e9


@pytest.fixture
def rows(stores):
    return stores.rows


async def put(rows, manifest, repository=REPOSITORY, parts=()):
    removals = await rows.contents.removals()
    return await rows.manifests.put_manifest(
        repository, manifest, place=Place(""), removals=removals, tags=(), parts=parts, actor=ACTOR
    )


async def push(rows, repository=REPOSITORY, blob=BLOB):
    return await rows.blobs.add_blob(repository, blob, removals=await rows.contents.removals(), actor=ACTOR)


async def end_manifest(rows, manifest=IMAGE, repository=REPOSITORY):
    if await rows.manifests.remove_manifest(repository, manifest.digest, tags=(), actor=ACTOR) == ManifestRemoved():
        await rows.garbage.end_holdings(LATER, 9)


# ---------------------------------------------------------------- holdings


async def bring_into(rows, state):
    """Bring the holding of a blob into a state, and hold its content elsewhere, so that only the holding changes."""
    await push(rows, OTHER)
    if state is not HoldingState.ABSENT:
        await push(rows)
    if state is HoldingState.NEEDED:
        await put(rows, IMAGE)
    if state is HoldingState.DELETED:
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)


async def apply_event(rows, event):
    match event:
        case HoldingEvent.NAMED:
            await push(rows)
        case HoldingEvent.ASKED | HoldingEvent.SEEN | HoldingEvent.RESTORED:
            await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, event)
        case HoldingEvent.KEPT:
            await put(rows, OTHER_IMAGE)
        case HoldingEvent.RELEASED:
            await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR)
        case HoldingEvent.DELETED:
            await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        case HoldingEvent.EXPIRED:
            await rows.garbage.end_holdings(LATER, 9)


async def state_of(rows):
    blob = await rows.blobs.find_blob(REPOSITORY, BLOB.digest)
    if blob is not None:
        return blob.holding.state
    restored = await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, HoldingEvent.RESTORED)
    return HoldingState.DELETED if restored else HoldingState.ABSENT


@pytest.mark.parametrize("event", HoldingEvent)
@pytest.mark.parametrize("state", HoldingState)
def test_a_holding_follows_its_table(rows, state, event):
    async def scenario():
        await bring_into(rows, state)
        assert await state_of(rows) is state
        if state is HoldingState.DELETED:
            await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        await apply_event(rows, event)
        assert await state_of(rows) is HOLDINGS[state].get(event, state)

    run(scenario())


async def since(rows):
    return (await rows.blobs.find_blob(REPOSITORY, BLOB.digest)).holding


def test_asking_restarts_the_grace_and_seeing_restarts_it_once(rows, clock):
    async def scenario():
        await push(rows)
        before = await since(rows)
        assert (before.since, before.extended) == (clock.now(), False)
        clock.time += 100
        assert await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, HoldingEvent.SEEN)
        assert not await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, HoldingEvent.SEEN)
        assert ((await since(rows)).since, (await since(rows)).extended) == (clock.now(), True)
        clock.time += 100
        assert await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, HoldingEvent.ASKED)
        assert ((await since(rows)).since, (await since(rows)).extended) == (clock.now(), False)

    run(scenario())


@pytest.mark.parametrize("event", [HoldingEvent.ASKED, HoldingEvent.SEEN])
def test_a_needed_blob_is_not_written(rows, event):
    async def scenario():
        await push(rows)
        await put(rows, IMAGE)
        assert not await rows.blobs.renew_blob(REPOSITORY, BLOB.digest, event)

    run(scenario())


def test_a_blob_that_is_pushed_after_its_manifest_is_needed_at_once(rows):
    async def scenario():
        await put(rows, IMAGE)
        await push(rows)
        assert await state_of(rows) is HoldingState.NEEDED
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        await rows.blobs.mount_blob(REPOSITORY, BLOB.digest, OTHER, actor=ACTOR)
        await push(rows)
        assert await state_of(rows) is HoldingState.NEEDED

    run(scenario())


def test_a_part_is_needed_until_the_last_manifest_is_deleted(rows):
    async def scenario():
        await push(rows)
        for manifest in (IMAGE, OTHER_IMAGE):
            await put(rows, manifest)
        for manifest, state in ((IMAGE, HoldingState.NEEDED), (OTHER_IMAGE, HoldingState.UNNEEDED)):
            await rows.manifests.remove_manifest(REPOSITORY, manifest.digest, tags=(), actor=ACTOR)
            assert await state_of(rows) is state

    run(scenario())


def test_parts_end_with_their_manifest_and_never_before(rows, clock):
    async def scenario():
        await push(rows)
        clock.time += 100
        await put(rows, IMAGE)
        await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR)
        deleted = clock.time
        assert await rows.garbage.end_holdings(deleted, 9) == HoldingsEnded()
        assert await rows.garbage.end_holdings(deleted + 1, 9) == HoldingsEnded(manifests=1, blobs=1)
        assert await ended(rows) == {IMAGE.digest, BLOB.digest}

    run(scenario())


def test_a_part_whose_turn_comes_waits_for_the_last_manifest_that_could_be_restored(rows, clock):
    async def scenario():
        await push(rows)
        for manifest in (IMAGE, OTHER_IMAGE):
            await put(rows, manifest)
        await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR)
        first = clock.time
        clock.time += 100
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        clock.time += 100
        await rows.manifests.remove_manifest(REPOSITORY, OTHER_IMAGE.digest, tags=(), actor=ACTOR)
        assert await rows.garbage.end_holdings(first + 150, 9) == HoldingsEnded(manifests=1, waiting=1)
        assert await rows.garbage.end_holdings(clock.time, 9) == HoldingsEnded()
        assert await rows.garbage.end_holdings(clock.time + 1, 9) == HoldingsEnded(manifests=1, blobs=1)

    run(scenario())


def test_what_a_client_deleted_does_not_wait_for_a_needed_manifest(rows, clock):
    async def scenario():
        await push(rows)
        await put(rows, IMAGE)
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        assert await rows.garbage.end_holdings(LATER, 9) == HoldingsEnded(blobs=1)

    run(scenario())


def test_children_wait_for_their_index_even_if_all_were_deleted_at_once(rows, clock):
    children = [manifest_of(b"child %d" % number) for number in range(5)]
    index = manifest_of(b"index", children=tuple(child.digest for child in children))

    async def scenario():
        for manifest in (*children, index):
            await put(rows, manifest)
        for manifest in (*children, index):
            await rows.manifests.remove_manifest(REPOSITORY, manifest.digest, tags=(), actor=ACTOR)
        rounds = [await rows.garbage.end_holdings(clock.time + 1, 2) for _ in range(9)]
        assert sum(each.manifests for each in rounds) == len(children) + 1
        assert rounds[-1] == HoldingsEnded()
        assert await ended(rows) == {manifest.digest for manifest in (*children, index)}

    run(scenario())


def test_a_repository_that_holds_nothing_is_removed(rows, clock):
    async def scenario():
        await push(rows)
        await put(rows, IMAGE)
        await put(rows, IMAGE, OTHER)
        await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR)
        await rows.garbage.end_holdings(clock.time, 9)
        assert await rows.usage.find_usage(REPOSITORY)
        await rows.garbage.end_holdings(clock.time + 1, 1)
        assert await rows.usage.find_usage(REPOSITORY)
        await rows.garbage.end_holdings(clock.time + 1, 9)
        assert not await rows.usage.find_usage(REPOSITORY)
        assert await rows.usage.find_usage(OTHER)
        await put(rows, OTHER_IMAGE)
        assert await rows.usage.find_usage(REPOSITORY)

    run(scenario())


def test_what_a_needed_manifest_refers_to_is_not_deleted_unless_that_is_allowed(rows):
    child = manifest_of(b"child")
    index = manifest_of(b"index", children=(child.digest, BLOB.digest))

    async def deletions():
        blob = await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR, unless_needed=True)
        manifest = await rows.manifests.remove_manifest(
            REPOSITORY, child.digest, tags=(), actor=ACTOR, unless_needed=True
        )
        return blob, manifest

    async def scenario():
        await push(rows)
        for manifest in (child, index):
            await put(rows, manifest)
            await put(rows, manifest, OTHER)
        assert await deletions() == (StillNeeded(index.digest), StillNeeded(index.digest))
        assert await state_of(rows) is HoldingState.NEEDED
        assert await rows.manifests.find_manifest(REPOSITORY, child.digest) == child.stored
        await rows.manifests.remove_manifest(REPOSITORY, index.digest, tags=(), actor=ACTOR)
        assert await deletions() == (BlobRemoved(), ManifestRemoved())

    run(scenario())


def test_a_subject_can_be_deleted(rows):
    async def scenario():
        await put(rows, IMAGE)
        await put(rows, manifest_of(b"signature", subject=IMAGE.digest))
        removed = await rows.manifests.remove_manifest(
            REPOSITORY, IMAGE.digest, tags=(), actor=ACTOR, unless_needed=True
        )
        assert removed == ManifestRemoved()

    run(scenario())


def test_manifests_of_other_repositories_need_no_part_here(rows):
    async def scenario():
        await push(rows)
        await put(rows, IMAGE, OTHER)
        assert await state_of(rows) is HoldingState.UNNEEDED

    run(scenario())


def test_a_deleted_manifest_is_nowhere_and_a_push_brings_it_back(rows):
    async def scenario():
        subject = manifest_of(b"signature", subject=IMAGE.digest)
        for _attempt in range(2):
            await put(rows, subject)
            found, _more = await rows.manifests.page_referrers(
                REPOSITORY, IMAGE.digest, artifact_type=None, after=None, size=9
            )
            assert [each.digest for each in found] == [subject.digest]
            await rows.manifests.remove_manifest(REPOSITORY, subject.digest, tags=(), actor=ACTOR)
            assert await rows.manifests.find_manifest(REPOSITORY, subject.digest) is None
            found, _more = await rows.manifests.page_referrers(
                REPOSITORY, IMAGE.digest, artifact_type=None, after=None, size=9
            )
            assert found == []
            part = DescribedPart(Part.CHILD, subject.stored.content)
            assert (await rows.manifests.find_parts(REPOSITORY, [part])).held == []

    run(scenario())


def test_deleted_blobs_have_no_holders_to_mount_from(rows):
    async def scenario():
        await push(rows)
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        assert await rows.blobs.page_holders(BLOB.digest, None, 9) == []
        assert await rows.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR) is None

    run(scenario())


def test_only_what_was_deleted_before_ends_and_no_more_than_the_limit(rows, clock):
    blobs = [blob_of(b"%d" % number) for number in range(4)]

    async def scenario():
        for blob in blobs:
            await push(rows, blob=blob)
            await rows.blobs.remove_blob(REPOSITORY, blob.digest, actor=ACTOR)
            clock.time += 1
        await rows.garbage.end_holdings(clock.time - 4, 9)
        assert await rows.garbage.page_condemned(None, 9) == []
        await rows.garbage.end_holdings(clock.time - 1, 2)
        assert await ended(rows) == {blobs[0].digest, blobs[1].digest}
        await rows.garbage.end_holdings(clock.time - 1, 9)
        assert await ended(rows) == {blob.digest for blob in blobs[:3]}

    run(scenario())


def test_condemned_content_is_paged_in_order_of_digests(rows):
    blobs = sorted((blob_of(b"%d" % number) for number in range(4)), key=lambda blob: blob.digest)

    async def scenario():
        for blob in reversed(blobs):
            await push(rows, blob=blob)
            await rows.blobs.remove_blob(REPOSITORY, blob.digest, actor=ACTOR)
        await rows.garbage.end_holdings(LATER, 9)
        assert await rows.garbage.page_condemned(None, 2) == blobs[:2]
        assert await rows.garbage.page_condemned(blobs[1].digest, 9) == blobs[2:]

    run(scenario())


async def ended(rows):
    return {record.digest for record in await rows.garbage.page_condemned(None, 9)}


# ---------------------------------------------------------------- content


async def bring_content_into(rows, state):
    if state is ContentState.ABSENT:
        return
    await push(rows)
    if state is ContentState.DAMAGED:
        await mark_damaged(rows, BLOB)
    if state is ContentState.CONDEMNED:
        await end_blob(rows)


async def end_blob(rows):
    await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
    await rows.garbage.end_holdings(LATER, 9)


async def content_state(rows):
    if await rows.contents.find_content(BLOB.digest) is not None:
        return ContentState.WHOLE
    if await rows.garbage.find_condemned(BLOB.digest) is not None:
        return ContentState.CONDEMNED
    holders = await rows.blobs.page_holders(BLOB.digest, None, 1)
    return ContentState.DAMAGED if holders else ContentState.ABSENT


async def apply_to_content(rows, event):
    match event:
        case ContentEvent.PLACED:
            await push(rows)
        case ContentEvent.REFUSED:
            refused = manifest_of(b"blob")
            await put(rows, refused, OTHER, parts=[DescribedPart(Part.BLOB, blob_of(b"absent"))])
        case ContentEvent.FOUND_DAMAGED:
            await mark_damaged(rows, BLOB)
        case ContentEvent.UNHELD:
            await end_blob(rows)
        case ContentEvent.REMOVED:
            await rows.garbage.forget([BLOB])


@pytest.mark.parametrize("event", [event for event in ContentEvent if event is not ContentEvent.REPAIRED])
@pytest.mark.parametrize("state", ContentState)
def test_content_follows_its_table(rows, state, event):
    async def scenario():
        await bring_content_into(rows, state)
        assert await content_state(rows) is state
        await apply_to_content(rows, event)
        assert await content_state(rows) is CONTENTS[state].get(event, state)

    run(scenario())


def test_content_that_another_repository_holds_stays(rows):
    async def scenario():
        await push(rows)
        await push(rows, OTHER)
        await put(rows, IMAGE, OTHER)
        await end_blob(rows)
        assert await content_state(rows) is ContentState.WHOLE
        await rows.blobs.remove_blob(OTHER, BLOB.digest, actor=ACTOR)
        await rows.garbage.end_holdings(LATER, 9)
        assert await content_state(rows) is ContentState.CONDEMNED

    run(scenario())


def test_content_held_as_manifest_and_as_blob_needs_both_to_end(rows):
    async def scenario():
        await put(rows, IMAGE)
        await push(rows, OTHER, IMAGE.stored.content)
        await put(rows, manifest_of(b"cache index", children=(IMAGE.digest,)), OTHER)
        await end_manifest(rows)
        assert await rows.garbage.page_condemned(None, 9) == []
        await rows.blobs.remove_blob(OTHER, IMAGE.digest, actor=ACTOR)
        await rows.garbage.end_holdings(LATER, 9)
        assert await ended(rows) == {IMAGE.digest}

    run(scenario())


def test_a_deleted_blob_is_kept_until_the_grace_has_passed(rows, clock):
    async def scenario():
        await push(rows)
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        await rows.garbage.end_holdings(clock.now(), 9)
        assert await content_state(rows) is ContentState.WHOLE
        clock.time += 100
        await push(rows)
        await rows.garbage.end_holdings(clock.now(), 9)
        assert await content_state(rows) is ContentState.WHOLE

    run(scenario())


@pytest.mark.parametrize("counted", ["before", "after"])
def test_a_push_that_a_removal_may_have_overtaken_places_its_bytes_again(rows, counted):
    async def scenario():
        await bring_content_into(rows, ContentState.CONDEMNED)
        before = await rows.contents.removals()
        assert await rows.blobs.add_blob(OTHER, BLOB, removals=before, actor=ACTOR) == ContentRemoved()
        await rows.garbage.forget([BLOB])
        removals = before if counted == "before" else await rows.contents.removals()
        added = await rows.blobs.add_blob(OTHER, BLOB, removals=removals, actor=ACTOR)
        assert added == (ContentRemoved() if counted == "before" else BlobAdded())

    run(scenario())


def test_a_second_copy_of_whole_content_is_surplus(rows):
    first, second = (ContentRecord(BLOB.digest, BLOB.size, Place(key)) for key in ("first", "second"))

    async def scenario():
        assert await push(rows, blob=first) == BlobAdded()
        assert await push(rows, OTHER, second) == BlobAdded(second)
        assert await rows.contents.find_content(BLOB.digest) == first
        assert await mark_damaged(rows, first)
        assert await push(rows, blob=second) == BlobAdded(first)
        assert await rows.contents.find_content(BLOB.digest) == second
        assert not await mark_damaged(rows, first)

    run(scenario())


def test_bytes_that_were_placed_again_are_not_marked_for_what_a_reader_found_before(rows):
    async def scenario():
        await push(rows)
        found = await rows.contents.find_content(BLOB.digest)
        await push(rows, OTHER)
        assert not await rows.contents.mark_damaged(found)
        again = await rows.contents.find_content(BLOB.digest)
        assert await rows.contents.mark_damaged(again)

    run(scenario())


def test_bytes_that_were_removed_and_placed_again_are_not_marked_either(rows):
    async def scenario():
        await push(rows)
        found = await rows.contents.find_content(BLOB.digest)
        await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR)
        await rows.garbage.end_holdings(LATER, 9)
        await rows.garbage.forget([BLOB])
        await push(rows, OTHER)
        assert not await rows.contents.mark_damaged(found)

    run(scenario())


def test_verified_bytes_keep_their_stamp_until_they_are_placed_again(rows):
    async def stamp():
        return (await rows.blobs.find_blob(REPOSITORY, BLOB.digest)).content.stamp

    async def scenario():
        await push(rows, blob=replace(BLOB, stamp="first"))
        assert await stamp() == "first"
        before = await rows.contents.find_content(BLOB.digest)
        await rows.contents.mark_verified({before: "second"})
        assert await stamp() == "second"
        found = await rows.manifests.find_parts(REPOSITORY, [DescribedPart(Part.BLOB, BLOB)])
        assert [each.stamp for each in found.held] == ["second"]
        await push(rows, OTHER, replace(BLOB, stamp="third"))
        await rows.contents.mark_verified({before: "second"})
        assert await stamp() == "third"

    run(scenario())


def test_damaged_content_is_absent_everywhere_until_it_is_placed_again(rows):
    async def scenario():
        await push(rows)
        await put(rows, IMAGE)
        for content in (BLOB, IMAGE.stored.content):
            assert await mark_damaged(rows, content)
            assert not await mark_damaged(rows, content)
        assert await rows.blobs.find_blob(REPOSITORY, BLOB.digest) is None
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) is None
        await push(rows, OTHER)
        await put(rows, IMAGE, OTHER)
        assert (await rows.blobs.find_blob(REPOSITORY, BLOB.digest)).content == BLOB
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) == IMAGE.stored

    run(scenario())


@pytest.mark.parametrize("artifact_type", [None, "application/x"])
def test_damaged_manifests_are_not_referrers(rows, artifact_type):
    signature = manifest_of(b"signature", subject=IMAGE.digest, artifact_type="application/x")

    async def referrers():
        found, more = await rows.manifests.page_referrers(
            REPOSITORY, IMAGE.digest, artifact_type=artifact_type, after=None, size=99
        )
        assert not more
        return [each.digest for each in found]

    async def scenario():
        await put(rows, signature)
        assert await rows.contents.mark_damaged(await rows.contents.find_content(signature.digest))
        assert await referrers() == []
        await put(rows, signature)
        assert await referrers() == [signature.digest]

    run(scenario())


def test_one_collector_works_at_a_time(rows):
    inside = []

    async def collect(name):
        async with rows.garbage.collecting():
            inside.append(name)
            await asyncio.sleep(0)
            assert inside == [name]
            inside.remove(name)

    async def scenario():
        await asyncio.gather(*(collect(number) for number in range(5)))

    run(scenario())
