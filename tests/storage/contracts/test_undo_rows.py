"""The contract of what undoes deletions and moves: what is restored is needed again, with all its parts."""

import pytest

from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import Precondition, PreconditionUnmet
from simple_registry.storage.life import HoldingState
from simple_registry.storage.quotas import Allowance, Measure, OfRepository, OverQuota
from simple_registry.storage.records import (
    JournalAction,
    ManifestGone,
    Place,
    RepositoryAbsent,
    RepositoryRemoved,
    Restored,
    TagPointed,
    TagProtected,
    TagsChanged,
)
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, mark_damaged, run
from support.actors import ACTOR

LAYER, SPARE = blob_of(b"layer"), blob_of(b"spare")
IMAGE = manifest_of(b"image", children=(LAYER.digest,))
INDEX = manifest_of(b"index", children=(IMAGE.digest,))
NEWER = manifest_of(b"newer")
V1, V2 = Tag("v1"), Tag("v2")
LATER = 9e9
ROLLBACK = JournalAction.TAG_ROLLBACK


class Guard:
    """Protects every tag."""

    def from_moving(self, _tag):
        return "releases"

    from_deletion = from_moving


@pytest.fixture
def rows(stores):
    """Rows with an image of one layer, which has two tags."""
    run(stores.rows.blobs.add_blob(REPOSITORY, LAYER, removals=0, actor=ACTOR))
    run(put(stores.rows, IMAGE, V1, V2))
    return stores.rows


async def put(rows, manifest, *tags, repository=REPOSITORY):
    removals = await rows.contents.removals()
    await rows.manifests.put_manifest(
        repository, manifest, place=Place(""), removals=removals, tags=tags, parts=(), actor=ACTOR
    )


async def delete(rows, manifest=IMAGE):
    tags = await rows.tags.tags_of(REPOSITORY, manifest.digest)
    await rows.manifests.remove_manifest(REPOSITORY, manifest.digest, tags=tags, actor=ACTOR)


async def point(rows, tag, manifest, **conditions):
    return await rows.undo.point_tag(REPOSITORY, tag, manifest.digest, action=ROLLBACK, actor=ACTOR, **conditions)


async def restore(rows, *manifests, tags=(), deletion=None):
    """Restore what a deletion deleted, by default the last one of the first manifest."""
    targets = dict.fromkeys(tags, manifests[0].digest)
    digests = [manifest.digest for manifest in manifests]
    deletion = deletion or await rows.undo.find_deletion(REPOSITORY, IMAGE.digest)
    return await rows.undo.restore(REPOSITORY, digests, targets, deletion=deletion, actor=ACTOR)


async def target(rows, tag=V1):
    found = await rows.manifests.find_tagged(REPOSITORY, tag)
    return None if found is None else found.digest


async def layer_state(rows):
    found = await rows.blobs.find_blob(REPOSITORY, LAYER.digest)
    return None if found is None else found.holding.state


async def events(rows, after):
    """Return the events after an id, without what is the same in all."""
    found = await rows.journal.page_events(after, 99)
    assert {(event.repository, event.actor) for event in found} <= {(REPOSITORY, ACTOR)}
    return [(event.action.value, event.tag, event.before, event.after, event.cause) for event in found]


def test_a_deleted_manifest_comes_back_with_its_parts_and_tags(rows):
    async def scenario():
        await delete(rows)
        assert await layer_state(rows) is HoldingState.UNNEEDED
        assert await restore(rows, IMAGE, tags=[V1, V2]) == Restored((IMAGE.digest,), (V1, V2))
        assert await target(rows) == await target(rows, V2) == IMAGE.digest
        assert await layer_state(rows) is HoldingState.NEEDED
        assert await events(rows, 5) == [
            ("manifest.restore", None, None, IMAGE.digest, None),
            ("tag.restore", V1, None, IMAGE.digest, 6),
            ("tag.restore", V2, None, IMAGE.digest, 6),
        ]
        await rows.garbage.end_holdings(LATER, 9)
        assert await target(rows) == IMAGE.digest

    run(scenario())


def test_a_tag_that_points_elsewhere_stays_there(rows):
    async def scenario():
        await delete(rows)
        await put(rows, NEWER, V2)
        assert await restore(rows, IMAGE, tags=[V1, V2]) == Restored((IMAGE.digest,), (V1,), (V2,))
        assert await target(rows, V2) == NEWER.digest

    run(scenario())


def test_a_restoration_of_what_is_not_deleted_changes_nothing(rows):
    async def scenario():
        await delete(rows)
        await put(rows, IMAGE)
        assert await restore(rows, IMAGE, tags=[V1]) == Restored()
        assert await events(rows, 5) == []
        assert await target(rows) is None

    run(scenario())


def test_a_deletion_brings_back_nothing_that_was_deleted_again_since(rows, clock):
    async def scenario():
        await delete(rows)
        first = await rows.undo.find_deletion(REPOSITORY, IMAGE.digest)
        await put(rows, IMAGE)
        clock.time += 1
        await delete(rows)
        assert await restore(rows, IMAGE, tags=[V1], deletion=first) == Restored(gone=(IMAGE.digest,))
        assert await target(rows) is None
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) is None
        assert await restore(rows, IMAGE) == Restored((IMAGE.digest,))

    run(scenario())


@pytest.mark.parametrize("whole", [False, True])
def test_a_deletion_is_undone_after_its_grace_began_anew(rows, clock, whole):
    """As after a backup was restored."""

    async def scenario():
        if whole:
            await rows.undo.remove_repository(REPOSITORY, tags=[V1, V2], actor=ACTOR)
        else:
            await rows.manifests.remove_manifest(REPOSITORY, IMAGE.digest, tags=[V1, V2], actor=ACTOR)
        await rows.garbage.reset_times(0, to=clock.now() + 60)
        deletion = await rows.undo.find_deletion(REPOSITORY, None if whole else IMAGE.digest)
        restored = await rows.undo.restore(
            REPOSITORY, [IMAGE.digest], {V1: IMAGE.digest}, deletion=deletion, actor=ACTOR
        )
        assert restored == Restored((IMAGE.digest,), (V1,))
        assert await target(rows) == IMAGE.digest

    run(scenario())


def test_an_index_comes_back_with_its_deleted_manifests_and_their_deleted_blobs(rows):
    async def scenario():
        await put(rows, INDEX, Tag("all"))
        await delete(rows, INDEX)
        await delete(rows)
        await rows.blobs.remove_blob(REPOSITORY, LAYER.digest, actor=ACTOR)
        restored = await restore(rows, INDEX, deletion=await rows.undo.find_deletion(REPOSITORY, INDEX.digest))
        assert sorted(restored.manifests, key=str) == sorted([INDEX.digest, IMAGE.digest], key=str)
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) is not None
        assert await layer_state(rows) is HoldingState.NEEDED

    run(scenario())


@pytest.mark.parametrize("lost", ["ended", "damaged", "a damaged part", "never held"])
def test_what_is_gone_is_not_restored(rows, lost):
    manifest = NEWER if lost == "never held" else IMAGE

    async def scenario():
        await delete(rows)
        match lost:
            case "ended":
                await rows.garbage.end_holdings(LATER, 9)
            case "damaged":
                await mark_damaged(rows, IMAGE.stored.content)
            case "a damaged part":
                await mark_damaged(rows, LAYER)
        before = await rows.journal.page_events(0, 99)
        assert await restore(rows, manifest, tags=[V1]) == Restored(gone=(manifest.digest,))
        assert await point(rows, V1, manifest) == ManifestGone()
        assert await target(rows) is None
        assert await rows.journal.page_events(0, 99) == before

    run(scenario())


def test_a_tag_gets_an_earlier_target_even_a_deleted_one(rows):
    async def scenario():
        await put(rows, NEWER, V1, V2)
        await delete(rows)
        assert await point(rows, V1, IMAGE) == TagPointed(NEWER.digest)
        assert await target(rows) == IMAGE.digest
        assert await layer_state(rows) is HoldingState.NEEDED
        assert (await events(rows, 5))[-2:] == [
            ("manifest.restore", None, None, IMAGE.digest, None),
            ("tag.rollback", V1, NEWER.digest, IMAGE.digest, 6),
        ]
        assert await point(rows, V1, IMAGE) == TagPointed(IMAGE.digest)
        assert len(await rows.journal.page_events(0, 99)) == 7

    run(scenario())


def test_a_refused_move_changes_nothing(rows):
    async def scenario():
        await put(rows, NEWER, V1)
        await delete(rows)
        before = await rows.journal.page_events(0, 99)
        expected = Precondition(one_of=frozenset({IMAGE.digest}))
        assert await point(rows, V1, IMAGE, precondition=expected) == PreconditionUnmet(V1, NEWER.digest)
        assert await point(rows, V1, IMAGE, guard=Guard()) == TagProtected(V1, "releases")
        assert await point(rows, V1, IMAGE, last=before[0].id) == TagsChanged()
        full = Allowance("few", OfRepository(REPOSITORY), {Measure.TAGS: 1})
        assert await point(rows, V2, IMAGE, allowances=[full]) == OverQuota("few", Measure.TAGS, 1, 1, 1)
        assert await target(rows) == NEWER.digest
        assert await rows.manifests.find_manifest(REPOSITORY, IMAGE.digest) is None
        assert await rows.journal.page_events(0, 99) == before

    run(scenario())


def test_the_last_deletion_of_a_manifest_is_found_with_its_tags(rows):
    async def scenario():
        assert await rows.undo.find_deletion(REPOSITORY, IMAGE.digest) is None
        await delete(rows)
        await put(rows, IMAGE, V1)
        await delete(rows)
        deletion = await rows.undo.find_deletion(REPOSITORY, IMAGE.digest)
        assert (deletion.action, deletion.id) == (JournalAction.MANIFEST_DELETE, 7)
        assert [event.tag for event in await rows.undo.find_parts_of(deletion)] == [V1]
        assert await rows.undo.find_deletion(OTHER, IMAGE.digest) is None

    run(scenario())


def test_the_targets_of_a_tag_are_known(rows):
    async def scenario():
        await put(rows, NEWER, V1)
        assert await rows.undo.was_target(REPOSITORY, V1, IMAGE.digest)
        assert await rows.undo.was_target(REPOSITORY, V1, NEWER.digest)
        assert not await rows.undo.was_target(REPOSITORY, V2, NEWER.digest)
        assert not await rows.undo.was_target(OTHER, V1, IMAGE.digest)

    run(scenario())


@pytest.fixture
def filled(rows):
    """Rows with a second manifest and a blob of no manifest, and another repository."""

    async def fill():
        await put(rows, NEWER, Tag("newer"))
        await rows.blobs.add_blob(REPOSITORY, SPARE, removals=0, actor=ACTOR)
        await put(rows, NEWER, V1, repository=OTHER)

    run(fill())
    return rows


async def remove(rows, *tags, guard=None, repository=REPOSITORY):
    return await rows.undo.remove_repository(repository, tags=tags, actor=ACTOR, guard=guard)


def test_a_repository_is_deleted_and_comes_back_whole(filled, clock):
    rows = filled

    async def scenario():
        clock.time += 0.0004
        assert await remove(rows, Tag("newer"), V1, V2) == RepositoryRemoved(2)
        assert await rows.tags.page_tags(REPOSITORY, None, 9) == []
        assert await rows.repositories.page_repositories(None, 9) == [OTHER]
        for digest in (LAYER.digest, SPARE.digest):
            assert await rows.blobs.find_blob(REPOSITORY, digest) is None
        deletion = await rows.undo.find_deletion(REPOSITORY, None)
        parts = await rows.undo.find_parts_of(deletion)
        assert [(part.tag, part.cause) for part in parts if part.tag] == [
            (tag, deletion.id) for tag in (Tag("newer"), V1, V2)
        ]
        assert {part.before for part in parts if part.tag is None} == {IMAGE.digest, NEWER.digest}
        clock.time += 60
        tags = {part.tag: part.before for part in parts if part.tag}
        digests = tuple(sorted({IMAGE.digest, NEWER.digest}, key=str))
        restored = await rows.undo.restore(REPOSITORY, digests, tags, deletion=deletion, actor=ACTOR)
        assert restored == Restored(digests, (Tag("newer"), V1, V2))
        assert await target(rows) == IMAGE.digest
        assert await layer_state(rows) is HoldingState.NEEDED
        spare = await rows.blobs.find_blob(REPOSITORY, SPARE.digest)
        assert (spare.holding.state, spare.holding.since) == (HoldingState.UNNEEDED, clock.time)
        head = (await events(rows, parts[-1].id))[0]
        assert head == ("repository.restore", None, None, None, None)

    run(scenario())


def test_blobs_that_were_deleted_before_their_repository_stay_deleted(filled, clock):
    rows = filled

    async def scenario():
        await rows.blobs.remove_blob(REPOSITORY, SPARE.digest, actor=ACTOR)
        clock.time += 1
        await remove(rows, Tag("newer"), V1, V2)
        await restore(rows, IMAGE, deletion=await rows.undo.find_deletion(REPOSITORY, None))
        assert await rows.blobs.find_blob(REPOSITORY, SPARE.digest) is None

    run(scenario())


def test_a_repository_of_blobs_alone_is_deleted_and_restored(rows):
    only = RepositoryName("only/blobs")

    async def scenario():
        await rows.blobs.add_blob(only, SPARE, removals=0, actor=ACTOR)
        assert await remove(rows, repository=only) == RepositoryRemoved(0)
        assert await remove(rows, repository=only) == RepositoryAbsent()
        deletion = await rows.undo.find_deletion(only, None)
        assert await rows.undo.restore(only, [], {}, deletion=deletion, actor=ACTOR) == Restored()
        assert await rows.blobs.find_blob(only, SPARE.digest) is not None

    run(scenario())


def test_a_refused_deletion_of_a_repository_changes_nothing(rows):
    async def scenario():
        assert await remove(rows, V1) == TagsChanged()
        assert await remove(rows, V1, V2, guard=Guard()) == TagProtected(V1, "releases")
        assert await remove(rows, repository=OTHER) == RepositoryAbsent()
        assert await target(rows) == IMAGE.digest
        assert len(await rows.journal.page_events(0, 99)) == 2

    run(scenario())
