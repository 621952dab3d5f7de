"""What every store of rows promises about usage and quotas."""

from dataclasses import replace

import pytest

from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.quotas import Allowance, Measure, OfIdentity, OfRepositories, OfRepository, OverQuota
from simple_registry.storage.records import (
    Actor,
    BlobAdded,
    ContentRecord,
    ManifestRemoved,
    ManifestStored,
    Place,
    TotalUsage,
    Usage,
)
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, run
from support.actors import ACTOR

LAYER, CONFIG = blob_of(b"a layer"), blob_of(b"config")
IMAGE = manifest_of(b"image", children=(LAYER.digest, CONFIG.digest))
BOTH = LAYER.size + CONFIG.size
ALL = BOTH + IMAGE.size
TEAM = OfRepositories("^team/", lambda name: name.startswith("team/"))


@pytest.fixture
def rows(stores):
    return stores.rows


async def add(rows, *blobs, repository=REPOSITORY, owner="", **how):
    outcomes = [
        await rows.blobs.add_blob(repository, blob, removals=await rows.contents.removals(), actor=Actor(owner), **how)
        for blob in blobs
    ]
    return outcomes[-1]


async def put(rows, manifest=IMAGE, *tags, repository=REPOSITORY, owner="", **how):
    return await rows.manifests.put_manifest(
        repository,
        manifest,
        place=Place(""),
        removals=await rows.contents.removals(),
        tags=[Tag(tag) for tag in tags],
        parts=(),
        actor=Actor(owner),
        **how,
    )


async def push(rows, *tags, repository=REPOSITORY, **how):
    await add(rows, LAYER, CONFIG, repository=repository, **how)
    return await put(rows, IMAGE, *tags, repository=repository, **how)


async def delete(rows, manifest=IMAGE, repository=REPOSITORY):
    tags = await rows.tags.tags_of(repository, manifest.digest)
    assert (
        await rows.manifests.remove_manifest(repository, manifest.digest, tags=tags, actor=ACTOR) == ManifestRemoved()
    )


def allow(account=None, **limits):
    measures = {Measure(measure): limit for measure, limit in limits.items()}
    return [Allowance("team", account or OfRepository(REPOSITORY), measures)]


def test_a_push_counts_from_its_first_blob_on(rows):
    async def scenario():
        assert await rows.usage.find_usage(REPOSITORY) is None
        await add(rows, LAYER)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(blobs=1, bytes=LAYER.size)
        await push(rows, "v1", "v2")
        assert await rows.usage.find_usage(REPOSITORY) == Usage(tags=2, manifests=1, blobs=2, bytes=ALL)
        await push(rows, "v1")  # again
        assert await rows.usage.find_usage(REPOSITORY) == Usage(tags=2, manifests=1, blobs=2, bytes=ALL)

    run(scenario())


def test_a_deleted_manifest_counts_no_more(rows):
    async def scenario():
        await push(rows, "v1")
        await delete(rows)
        usage = await rows.usage.find_usage(REPOSITORY)
        assert (usage.tags, usage.manifests, usage.deleted_bytes) == (0, 0, IMAGE.size)
        assert usage.held_bytes == ALL

    run(scenario())


def test_a_released_blob_counts_again_once_it_is_needed(rows):
    async def scenario():
        await push(rows)
        await delete(rows)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(unneeded_bytes=BOTH, deleted_bytes=IMAGE.size)
        await put(rows)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(manifests=1, blobs=2, bytes=ALL)

    run(scenario())


def test_a_released_blob_counts_again_once_it_is_pushed_or_prolonged_by_a_client_that_may_push(rows):
    async def scenario():
        await push(rows)
        await delete(rows)
        await rows.blobs.renew_blob(REPOSITORY, CONFIG.digest, HoldingEvent.SEEN)
        assert (await rows.usage.find_usage(REPOSITORY)).bytes == 0
        await rows.blobs.renew_blob(REPOSITORY, CONFIG.digest, HoldingEvent.ASKED)
        assert (await rows.usage.find_usage(REPOSITORY)).bytes == CONFIG.size
        await add(rows, LAYER)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(blobs=2, bytes=BOTH, deleted_bytes=IMAGE.size)

    run(scenario())


def test_a_deleted_blob_counts_no_more(rows):
    async def scenario():
        await add(rows, LAYER)
        await rows.blobs.remove_blob(REPOSITORY, LAYER.digest, actor=ACTOR)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(deleted_bytes=LAYER.size)
        await add(rows, LAYER)
        assert await rows.usage.find_usage(REPOSITORY) == Usage(blobs=1, bytes=LAYER.size)

    run(scenario())


def test_usage_is_listed_in_order(rows):
    async def scenario():
        for name in ("b", "a", "c"):
            await add(rows, LAYER, repository=RepositoryName(name))
        one = Usage(blobs=1, bytes=LAYER.size)
        assert await rows.usage.page_usage(None, 2) == [("a", one), ("b", one)]
        assert await rows.usage.page_usage("b", 2) == [("c", one)]

    run(scenario())


def test_the_total_shows_what_is_shared_and_what_is_condemned(rows, clock):
    async def scenario():
        assert await rows.usage.total_usage() == TotalUsage(0, Usage(), 0, 0, 0)
        await push(rows, "v1")
        await push(rows, "v1", repository=OTHER)
        total = await rows.usage.total_usage()
        assert total == TotalUsage(2, Usage(2, 2, 4, 2 * ALL), 3, ALL, 0)
        assert total.shared_bytes == ALL
        gone = blob_of(b"gone")
        await add(rows, gone)
        await rows.blobs.remove_blob(REPOSITORY, gone.digest, actor=ACTOR)
        await rows.garbage.end_holdings(clock.time + 1, 9)
        assert await rows.usage.total_usage() == replace(total, condemned_bytes=gone.size)
        await rows.garbage.forget(await rows.garbage.page_condemned(None, 9))
        assert await rows.usage.total_usage() == total

    run(scenario())


def test_content_counts_for_its_first_owner(rows):
    async def scenario():
        await add(rows, LAYER, owner="alice")
        await add(rows, LAYER, owner="bob")
        await add(rows, CONFIG, owner="bob")
        await put(rows, owner="bob")
        await put(rows, owner="carol")
        found = [await rows.usage.amounts(OfIdentity(name)) for name in ("alice", "bob", "carol")]
        assert [(each[Measure.BYTES], each[Measure.MANIFESTS]) for each in found] == [
            (LAYER.size, 0),
            (CONFIG.size + IMAGE.size, 1),
            (0, 0),
        ]
        assert await rows.usage.identities_above({Measure.BYTES: LAYER.size}) == ["alice", "bob"]
        assert await rows.usage.identities_above({Measure.MANIFESTS: 1}) == ["bob"]

    run(scenario())


def test_deleted_content_has_the_owner_who_pushes_it_again(rows):
    async def scenario():
        await push(rows, owner="alice")
        await delete(rows)
        await put(rows, owner="bob")
        assert (await rows.usage.amounts(OfIdentity("alice")))[Measure.MANIFESTS] == 0
        assert (await rows.usage.amounts(OfIdentity("bob")))[Measure.MANIFESTS] == 1

    run(scenario())


def test_accounts_are_of_one_repository_or_of_several(rows):
    async def scenario():
        await push(rows, "v1")
        await push(rows, "v1", repository=OTHER)
        await push(rows, "v1", repository=RepositoryName("elsewhere"))
        one = {Measure.BYTES: ALL, Measure.TAGS: 1, Measure.MANIFESTS: 1}
        assert await rows.usage.amounts(OfRepository(REPOSITORY)) == one
        assert await rows.usage.amounts(TEAM) == {measure: 2 * amount for measure, amount in one.items()}
        assert set((await rows.usage.amounts(OfRepository(RepositoryName("none")))).values()) == {0}
        assert await rows.usage.repositories_above({Measure.TAGS: 1}) == ["elsewhere", REPOSITORY, OTHER]
        assert await rows.usage.repositories_above({Measure.BYTES: ALL + 1}) == []

    run(scenario())


def test_a_blob_over_a_quota_leaves_the_repository_unchanged(rows):
    async def scenario():
        await add(rows, LAYER)
        before = await rows.usage.find_usage(REPOSITORY)
        allowances = allow(bytes=BOTH - 1)
        over = OverQuota("team", Measure.BYTES, BOTH - 1, LAYER.size, CONFIG.size)
        assert await add(rows, CONFIG, allowances=allowances) == over
        assert await rows.usage.find_usage(REPOSITORY) == before
        assert await rows.blobs.find_blob(REPOSITORY, CONFIG.digest) is None
        assert [record.digest for record in await rows.garbage.page_condemned(None, 9)] == [CONFIG.digest]
        assert await add(rows, LAYER, allowances=allow(bytes=0)) == BlobAdded()  # it is there already

    run(scenario())


def test_a_mount_over_a_quota_leaves_no_repository(rows):
    async def scenario():
        await add(rows, LAYER, repository=OTHER)
        mounted = await rows.blobs.mount_blob(
            REPOSITORY, LAYER.digest, OTHER, actor=ACTOR, allowances=allow(bytes=LAYER.size - 1)
        )
        assert mounted == OverQuota("team", Measure.BYTES, LAYER.size - 1, 0, LAYER.size)
        assert not await rows.usage.find_usage(REPOSITORY)
        mounted = await rows.blobs.mount_blob(
            REPOSITORY, LAYER.digest, OTHER, actor=ACTOR, allowances=allow(bytes=LAYER.size)
        )
        assert isinstance(mounted, ContentRecord)

    run(scenario())


@pytest.mark.parametrize(
    ("limits", "over"),
    [
        ({"bytes": ALL - 1}, OverQuota("team", Measure.BYTES, ALL - 1, BOTH, IMAGE.size)),
        ({"tags": 1}, OverQuota("team", Measure.TAGS, 1, 0, 2)),
        ({"manifests": 0}, OverQuota("team", Measure.MANIFESTS, 0, 0, 1)),
    ],
)
def test_a_manifest_over_a_quota_changes_nothing(rows, limits, over):
    async def scenario():
        await add(rows, LAYER, CONFIG)
        before = await rows.usage.find_usage(REPOSITORY)
        assert await put(rows, IMAGE, "v1", "v2", allowances=allow(**limits)) == over
        assert await rows.usage.find_usage(REPOSITORY) == before
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) is None
        assert await rows.tags.page_tags(REPOSITORY, None, 9) == []

    run(scenario())


def test_a_tag_may_move_where_no_tag_is_left(rows):
    async def scenario():
        await push(rows, "v1")
        other = manifest_of(b"other")
        assert isinstance(await put(rows, other, "v1", allowances=allow(tags=1)), ManifestStored)
        assert isinstance(await put(rows, other, "v2", allowances=allow(tags=1)), OverQuota)

    run(scenario())


def test_a_quota_of_several_repositories_counts_new_ones(rows):
    async def scenario():
        await push(rows)
        allowances = allow(TEAM, bytes=2 * ALL)
        third = RepositoryName("team/third")
        assert isinstance(await push(rows, repository=OTHER, allowances=allowances), ManifestStored)
        assert await add(rows, LAYER, repository=third, allowances=allowances) == OverQuota(
            "team", Measure.BYTES, 2 * ALL, 2 * ALL, LAYER.size
        )
        assert not await rows.usage.find_usage(third)
        # A name that was refused leaves its number to the next one, which must count as what it is.
        fourth = RepositoryName("elsewhere")
        await push(rows, repository=fourth, allowances=allow(OfRepository(fourth), bytes=ALL))
        assert (await rows.usage.amounts(TEAM))[Measure.BYTES] == 2 * ALL

    run(scenario())


def test_the_quota_of_an_identity_spans_repositories(rows):
    async def scenario():
        allowances = allow(OfIdentity("alice"), bytes=ALL)
        await push(rows, owner="alice", allowances=allowances)
        outcome = await add(rows, LAYER, repository=OTHER, owner="alice", allowances=allowances)
        assert outcome == OverQuota("team", Measure.BYTES, ALL, ALL, LAYER.size)
        assert isinstance(await push(rows, repository=OTHER, owner="bob"), ManifestStored)

    run(scenario())
