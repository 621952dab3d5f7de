"""The contract of stores of rows."""

import asyncio
from dataclasses import replace

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import Precondition, PreconditionUnmet
from simple_registry.storage.records import (
    BlobAbsent,
    BlobAdded,
    BlobRemoved,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    ManifestAbsent,
    ManifestRemoved,
    ManifestStored,
    Part,
    PartsUnmet,
    Place,
    TagAbsent,
    TagRemoved,
    TagsChanged,
    UnmetPart,
)
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, mark_damaged, run, session_of
from support.actors import ACTOR

BLOB = blob_of(b"blob")
MANIFEST = manifest_of(b"manifest")


@pytest.fixture
def rows(stores):
    return stores.rows


async def put(rows, manifest=MANIFEST, *tags, repository=REPOSITORY, parts=(), **how):
    return await rows.manifests.put_manifest(
        repository,
        manifest,
        tags=[Tag(tag) for tag in tags],
        parts=parts,
        **({"place": Place(""), "removals": 0} | how),
        actor=ACTOR,
    )


def part(part, held, *, size=None, required=True):
    """Return a part with the size that its content has, or another."""
    return DescribedPart(part, ContentRecord(held.digest, held.size if size is None else size), required)


def missing(*blobs):
    return [UnmetPart(ContentRecord(each.digest, each.size), None) for each in blobs]


# blobs


def test_the_size_of_a_manifest_has_each_content_below_it_once(rows):
    layer, lost = blob_of(b"layer"), digest_of(b"lost")
    first = manifest_of(b"first", children=(layer.digest, lost))
    second = manifest_of(b"second", children=(layer.digest,))
    index = manifest_of(b"index", children=(first.digest, second.digest))

    async def check():
        await rows.blobs.add_blob(REPOSITORY, layer, removals=0, actor=ACTOR)
        for each in (first, second, index):
            await put(rows, each)
        assert await rows.manifests.total_size(REPOSITORY, first.digest, 3) == 5 + 5
        assert await rows.manifests.total_size(REPOSITORY, index.digest, 5) == 5 + 5 + 6 + 5
        assert await rows.manifests.total_size(REPOSITORY, index.digest, 4) is None
        assert await rows.manifests.total_size(OTHER, index.digest, 4) == 5
        assert await rows.manifests.find_referring(REPOSITORY, second.digest) == index.digest
        assert await rows.manifests.find_referring(REPOSITORY, index.digest) is None
        assert await rows.manifests.find_referring(OTHER, second.digest) is None

    run(check())


def test_a_blob_belongs_to_the_repository_it_was_added_to_only(rows):
    assert run(rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)) == BlobAdded()
    assert run(rows.blobs.find_blob(REPOSITORY, BLOB.digest)).content == BLOB
    assert run(rows.blobs.find_blob(OTHER, BLOB.digest)) is None
    assert run(rows.manifests.find_manifest(REPOSITORY, BLOB.digest)) is None
    assert run(rows.usage.find_usage(REPOSITORY))
    assert not run(rows.usage.find_usage(OTHER))
    assert run(rows.contents.find_content(BLOB.digest)) == BLOB


def test_adding_a_blob_again_is_fine(rows):
    async def scenario():
        assert await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR) == BlobAdded()
        assert await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR) == BlobAdded()

    run(scenario())


def test_a_blob_whose_content_may_have_been_removed_changes_nothing(rows):
    async def scenario():
        await rows.sessions.add_session(session_of(), limit=9, share=9)
        await rows.garbage.forget([])
        assert await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, session="s", actor=ACTOR) == ContentRemoved()

    run(scenario())
    assert not run(rows.usage.find_usage(REPOSITORY))
    assert run(rows.contents.find_content(BLOB.digest)) is None
    assert run(rows.sessions.find_session("s")) == session_of()


def test_adding_a_blob_ends_its_session(rows):
    async def scenario():
        await rows.sessions.add_session(session_of(), limit=9, share=9)
        assert await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, session="s", actor=ACTOR) == BlobAdded()

    run(scenario())
    assert run(rows.sessions.find_session("s")) is None


def test_a_mount_takes_what_the_source_holds(rows):
    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        assert await rows.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR) == BLOB
        assert await rows.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR) == BLOB

    run(scenario())
    assert run(rows.blobs.find_blob(OTHER, BLOB.digest)).content == BLOB


def test_a_mount_of_what_the_source_does_not_hold_changes_nothing(rows):
    async def scenario():
        await rows.blobs.add_blob(RepositoryName("third"), BLOB, removals=0, actor=ACTOR)
        assert await rows.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR) is None

    run(scenario())
    assert not run(rows.usage.find_usage(OTHER))


def test_a_mount_of_a_damaged_blob_changes_nothing(rows):
    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        assert await mark_damaged(rows, BLOB)
        assert await rows.blobs.mount_blob(OTHER, BLOB.digest, REPOSITORY, actor=ACTOR) is None

    run(scenario())
    assert not run(rows.usage.find_usage(OTHER))


def test_a_removed_blob_is_gone_from_its_repository_only(rows):
    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        await rows.blobs.add_blob(OTHER, BLOB, removals=0, actor=ACTOR)
        assert await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR) == BlobRemoved()
        assert await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, actor=ACTOR) == BlobAbsent()

    run(scenario())
    assert run(rows.blobs.find_blob(REPOSITORY, BLOB.digest)) is None
    assert run(rows.blobs.find_blob(OTHER, BLOB.digest)).content == BLOB


def test_holders_come_in_pages_by_name(rows):
    names = [RepositoryName(name) for name in ("a", "a-b", "a/b", "b", "c")]

    async def scenario():
        for name in reversed(names):
            await rows.blobs.add_blob(name, BLOB, removals=0, actor=ACTOR)

    run(scenario())
    assert run(rows.blobs.page_holders(BLOB.digest, None, 2)) == names[:2]
    assert run(rows.blobs.page_holders(BLOB.digest, names[1], 9)) == names[2:]


# manifests


def test_a_manifest_is_found_as_it_was_put(rows):
    manifest = manifest_of(
        b"m",
        artifact_type="application/x",
        annotations='{"b":"ü\\n","a":""}'.encode(),
        subject=digest_of(b"subject", "sha512"),
        children=(digest_of(b"z"), digest_of(b"a"), digest_of(b"z")),
    )
    assert run(put(rows, manifest)) == ManifestStored({})
    assert run(rows.manifests.find_manifest(REPOSITORY, manifest.digest)) == manifest.stored
    assert run(rows.manifests.find_manifest(OTHER, manifest.digest)) is None
    assert run(rows.blobs.find_blob(REPOSITORY, manifest.digest)) is None
    assert run(rows.contents.find_content(manifest.digest)) == manifest.stored.content


def test_putting_a_manifest_again_replaces_what_is_known_of_it(rows):
    changed = replace(MANIFEST, media_type="application/json", children=(digest_of(b"c"),), annotations=b'{"a":"b"}')

    async def scenario():
        await put(rows, MANIFEST, "v1")
        assert await put(rows, changed) == ManifestStored({})

    run(scenario())
    assert run(rows.manifests.find_manifest(REPOSITORY, MANIFEST.digest)) == changed.stored
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("v1"))) == changed.stored


def test_parts_that_are_missing_are_named_and_nothing_changes_but_that_the_content_is_condemned(rows, stores):
    index = manifest_of(b"index")
    parts = [
        part(Part.BLOB, blob_of(b"1")),
        part(Part.BLOB, BLOB),
        part(Part.CHILD, blob_of(b"2")),
        part(Part.BLOB, MANIFEST),
    ]

    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        await put(rows, MANIFEST)
        return await put(rows, index, "v1", parts=parts)

    assert run(scenario()) == PartsUnmet(missing(blob_of(b"1"), blob_of(b"2"), MANIFEST))
    assert run(rows.manifests.find_manifest(REPOSITORY, index.digest)) is None
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("v1"))) is None
    assert run(rows.garbage.page_condemned(None, 9)) == [index.stored.content]


def test_a_refused_manifest_whose_content_is_held_leaves_it_held(rows, stores):
    async def scenario():
        await put(rows, MANIFEST)
        await put(rows, MANIFEST, repository=OTHER, parts=[part(Part.BLOB, BLOB)])

    run(scenario())
    assert not run(rows.usage.find_usage(OTHER))
    assert run(rows.garbage.page_condemned(None, 9)) == []


def test_parts_of_another_size_are_named_with_the_size_that_is_held(rows):
    parts = [
        part(Part.BLOB, BLOB, size=9),
        part(Part.CHILD, BLOB, size=0),
        part(Part.CHILD, MANIFEST, size=7),
        part(Part.CHILD, MANIFEST, size=9, required=False),
        part(Part.CHILD, blob_of(b"absent"), required=False),
        part(Part.BLOB, MANIFEST, required=False),
        part(Part.BLOB, BLOB),
    ]
    unmet = [UnmetPart(each.content, BLOB.size if each.content.digest == BLOB.digest else 8) for each in parts[:4]]

    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        await put(rows, MANIFEST)
        assert (await rows.manifests.find_parts(REPOSITORY, parts)).unmet == unmet
        return await put(rows, manifest_of(b"index"), "v1", parts=parts)

    assert run(scenario()) == PartsUnmet(unmet)
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("v1"))) is None


def test_missing_parts_are_named_in_order_however_many_there_are(rows):
    absent = [blob_of(b"%d" % number) for number in range(2500)]
    parts = [part(Part.CHILD, blob) for blob in absent]
    parts[1200:1200] = [part(Part.BLOB, BLOB), part(Part.CHILD, MANIFEST), part(Part.BLOB, MANIFEST)]

    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        await put(rows, MANIFEST)
        for wanted in (parts, parts[1190:1210]):
            unmet = (await rows.manifests.find_parts(REPOSITORY, wanted)).unmet
            held = wanted.index(part(Part.BLOB, BLOB))
            assert unmet == missing(*(each.content for each in wanted[:held] + wanted[held + 2 :]))
            index = manifest_of(b"index %d" % len(wanted))
            assert await put(rows, index, parts=wanted) == PartsUnmet(unmet)
        assert (await rows.manifests.find_parts(OTHER, parts[1200:1202])).unmet == missing(BLOB, MANIFEST)

    run(scenario())


@pytest.mark.parametrize("others", [0, 100])
def test_parts_whose_content_is_damaged_are_missing(rows, others):
    parts = [part(Part.BLOB, BLOB), part(Part.CHILD, MANIFEST)]
    more = [blob_of(b"%d" % number) for number in range(others)]

    async def scenario():
        for blob in (BLOB, *more):
            await rows.blobs.add_blob(REPOSITORY, blob, removals=0, actor=ACTOR)
        await put(rows, MANIFEST)
        wanted = parts + [part(Part.BLOB, blob) for blob in more]
        assert (await rows.manifests.find_parts(REPOSITORY, wanted)).unmet == []
        await mark_damaged(rows, BLOB)
        found = await rows.manifests.find_parts(REPOSITORY, wanted)
        assert found.unmet == missing(BLOB)
        assert {each.digest for each in found.held} == {each.content.digest for each in wanted[1:]}

    run(scenario())


def test_children_may_be_manifests_or_blobs_of_the_same_repository(rows):
    parts = [part(Part.CHILD, BLOB), part(Part.CHILD, MANIFEST)]

    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        await put(rows, MANIFEST)
        assert await put(rows, manifest_of(b"index"), parts=parts) == ManifestStored({})
        unmet = await put(rows, manifest_of(b"index"), parts=parts, repository=OTHER)
        assert unmet == PartsUnmet(missing(BLOB, MANIFEST))

    run(scenario())
    assert not run(rows.usage.find_usage(OTHER))


def test_a_manifest_whose_content_may_have_been_removed_changes_nothing(rows):
    run(rows.garbage.forget([]))
    assert run(put(rows, MANIFEST, "v1")) == ContentRemoved()
    assert run(put(rows, MANIFEST, "v1", place=None)) == ContentRemoved()
    assert not run(rows.usage.find_usage(REPOSITORY))
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("v1"))) is None
    assert run(rows.contents.find_content(MANIFEST.digest)) is None


# preconditions

OLD, NEW = manifest_of(b"old"), manifest_of(b"new")
ONE_OF_OLD = Precondition(one_of=frozenset({OLD.digest}))


@pytest.mark.parametrize(
    ("precondition", "unmet"),
    [
        (ONE_OF_OLD, None),
        (Precondition(exists=True), None),
        (Precondition(none_of=frozenset({NEW.digest})), None),
        (Precondition(one_of=frozenset({NEW.digest})), OLD.digest),
        (Precondition(one_of=frozenset()), OLD.digest),
        (Precondition(absent=True), OLD.digest),
        (Precondition(none_of=frozenset({OLD.digest})), OLD.digest),
    ],
)
def test_a_tag_is_moved_or_deleted_only_from_the_expected_target(rows, precondition, unmet):
    async def scenario():
        await put(rows, OLD, "v1", "v2")
        moved = await put(rows, NEW, "v1", precondition=precondition)
        removed = await rows.tags.remove_tag(REPOSITORY, Tag("v2"), precondition=precondition, actor=ACTOR)
        return moved, removed

    moved, removed = run(scenario())
    now = run(rows.manifests.find_tagged(REPOSITORY, Tag("v1")))
    if unmet is None:
        assert (moved, removed) == (ManifestStored({Tag("v1"): OLD.digest}), TagRemoved(OLD.digest))
        assert (now, run(rows.manifests.find_tagged(REPOSITORY, Tag("v2")))) == (NEW.stored, None)
    else:
        assert (moved, removed) == (PreconditionUnmet(Tag("v1"), unmet), PreconditionUnmet(Tag("v2"), unmet))
        assert (now, run(rows.manifests.find_tagged(REPOSITORY, Tag("v2")))) == (OLD.stored, OLD.stored)
        assert run(rows.manifests.find_manifest(REPOSITORY, NEW.digest)) is None


@pytest.mark.parametrize(
    ("precondition", "holds"),
    [(ONE_OF_OLD, False), (Precondition(exists=True), False), (Precondition(absent=True), True)],
)
def test_an_absent_tag_has_no_target(rows, precondition, holds):
    put_it = run(put(rows, NEW, "v1", precondition=precondition))
    assert put_it == (ManifestStored({Tag("v1"): None}) if holds else PreconditionUnmet(Tag("v1"), None))
    assert (run(rows.usage.find_usage(REPOSITORY)) is not None) is holds
    assert run(rows.tags.remove_tag(REPOSITORY, Tag("none"), precondition=precondition, actor=ACTOR)) == TagAbsent()


def test_a_precondition_is_asked_of_every_tag(rows):
    async def scenario():
        await put(rows, OLD, "v1", "v2")
        await put(rows, NEW, "v3")
        assert await put(rows, NEW, "v1", "v2", "v3", precondition=ONE_OF_OLD) == PreconditionUnmet(
            Tag("v3"), NEW.digest
        )
        assert await put(rows, NEW, "v1", "v4", precondition=ONE_OF_OLD) == PreconditionUnmet(Tag("v4"), None)
        assert await rows.tags.tags_of(REPOSITORY, OLD.digest) == ["v1", "v2"]
        assert isinstance(await put(rows, NEW, "v1", "v2", precondition=ONE_OF_OLD), ManifestStored)

    run(scenario())
    assert run(rows.tags.tags_of(REPOSITORY, NEW.digest)) == ["v1", "v2", "v3"]


def test_without_tags_a_precondition_is_asked_of_the_digest_in_this_repository(rows):
    absent, there = Precondition(absent=True), Precondition(exists=True)

    async def scenario():
        await put(rows, NEW, repository=OTHER)
        assert await put(rows, NEW, precondition=there) == PreconditionUnmet(NEW.digest, None)
        assert await put(rows, NEW, precondition=absent) == ManifestStored({})
        assert await put(rows, NEW, precondition=absent) == PreconditionUnmet(NEW.digest, NEW.digest)
        assert await put(rows, NEW, precondition=there) == ManifestStored({})
        assert await put(rows, NEW, "v1", precondition=absent) == ManifestStored({Tag("v1"): None})

    run(scenario())


def test_damaged_content_is_absent_to_preconditions(rows):
    absent, there, other = Precondition(absent=True), Precondition(exists=True), Precondition(one_of=frozenset())
    blob = blob_of(b"damaged")

    async def scenario():
        await put(rows, NEW, repository=OTHER)
        await put(rows, OLD, "v1", "v2")
        await rows.blobs.add_blob(REPOSITORY, blob, removals=0, actor=ACTOR)
        assert await mark_damaged(rows, OLD.stored.content)
        assert await mark_damaged(rows, blob)
        for refused in (there, other, ONE_OF_OLD):
            unmet = PreconditionUnmet(OLD.digest, None)
            assert await put(rows, OLD, precondition=refused) == unmet
            tags = [Tag("v1"), Tag("v2")]
            assert unmet == await rows.manifests.remove_manifest(
                REPOSITORY, OLD.digest, tags=tags, precondition=refused, actor=ACTOR
            )
            assert await put(rows, NEW, "v1", precondition=refused) == PreconditionUnmet(Tag("v1"), None)
            removed = await rows.tags.remove_tag(REPOSITORY, Tag("v1"), precondition=refused, actor=ACTOR)
            assert removed == PreconditionUnmet(Tag("v1"), None)
            removed = await rows.blobs.remove_blob(REPOSITORY, blob.digest, precondition=refused, actor=ACTOR)
            assert removed == PreconditionUnmet(blob.digest, None)
        assert await rows.tags.remove_tag(REPOSITORY, Tag("v2"), actor=ACTOR) == TagRemoved(OLD.digest)
        assert await put(rows, OLD, "v1", precondition=absent) == ManifestStored({Tag("v1"): OLD.digest})
        assert await put(rows, OLD, "v1", precondition=absent) == PreconditionUnmet(Tag("v1"), OLD.digest)
        assert await rows.blobs.remove_blob(REPOSITORY, blob.digest, actor=ACTOR) == BlobRemoved()

    run(scenario())


@pytest.mark.parametrize("precondition", [ONE_OF_OLD, Precondition(absent=True)])
def test_a_blob_is_deleted_only_if_the_precondition_holds(rows, precondition):
    async def scenario():
        await rows.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR)
        unmet = PreconditionUnmet(BLOB.digest, BLOB.digest)
        assert await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, precondition=precondition, actor=ACTOR) == unmet
        assert await rows.blobs.find_blob(REPOSITORY, BLOB.digest) is not None
        removed = await rows.blobs.remove_blob(
            REPOSITORY, BLOB.digest, precondition=Precondition(exists=True), actor=ACTOR
        )
        assert removed == BlobRemoved()
        assert (
            await rows.blobs.remove_blob(REPOSITORY, BLOB.digest, precondition=precondition, actor=ACTOR)
            == BlobAbsent()
        )

    run(scenario())


def test_a_manifest_that_is_kept_already_needs_no_place(rows):
    async def scenario():
        await put(rows, MANIFEST)
        await rows.garbage.forget([])
        assert await put(rows, MANIFEST, "v1", place=None) == ManifestStored({Tag("v1"): None})

    run(scenario())


# removal


def test_a_removed_manifest_takes_its_tags_along_and_no_others(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        await put(rows, manifest_of(b"n"), "v3")
        await put(rows, MANIFEST, "v1", repository=OTHER)
        named = [Tag("v2"), Tag("v1")]
        assert (
            await rows.manifests.remove_manifest(REPOSITORY, MANIFEST.digest, tags=named, actor=ACTOR)
            == ManifestRemoved()
        )
        assert (
            await rows.manifests.remove_manifest(REPOSITORY, MANIFEST.digest, tags=named, actor=ACTOR)
            == ManifestAbsent()
        )

    run(scenario())
    assert run(rows.manifests.find_manifest(REPOSITORY, MANIFEST.digest)) is None
    assert run(rows.tags.page_tags(REPOSITORY, None, 9)) == ["v3"]
    assert run(rows.tags.page_tags(OTHER, None, 9)) == ["v1"]


@pytest.mark.parametrize("tags", [["v1"], [], ["v1", "v2", "v3"], ["v1", "other"]])
def test_a_manifest_with_other_tags_than_were_named_stays_with_all_of_them(rows, tags):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        await put(rows, manifest_of(b"n"), "other")
        named = [Tag(tag) for tag in tags]
        assert (
            await rows.manifests.remove_manifest(REPOSITORY, MANIFEST.digest, tags=named, actor=ACTOR) == TagsChanged()
        )

    run(scenario())
    assert run(rows.manifests.find_manifest(REPOSITORY, MANIFEST.digest)) == MANIFEST.stored
    assert run(rows.tags.page_tags(REPOSITORY, None, 9)) == ["other", "v1", "v2"]


def test_referrers_come_in_pages_by_digest_and_can_be_filtered(rows):
    subject = digest_of(b"subject")
    manifests = [
        manifest_of(f"{number}".encode(), subject=subject, artifact_type=f"application/{number % 2}")
        for number in range(9)
    ]
    manifests.sort(key=lambda manifest: str(manifest.digest))

    async def scenario():
        for manifest in manifests:
            await put(rows, manifest)
        await put(rows, manifest_of(b"x", subject=subject), repository=OTHER)
        await put(rows, manifest_of(b"y", subject=digest_of(b"other")))

    run(scenario())

    def page(**values):
        arguments = {"artifact_type": None, "after": None, "size": 1_000_000} | values
        found, more = run(rows.manifests.page_referrers(REPOSITORY, subject, **arguments))
        return [each.digest for each in found], more

    digests = [manifest.digest for manifest in manifests]
    even = [manifest.digest for manifest in manifests if manifest.artifact_type == "application/0"]
    assert page() == (digests, False)
    assert page(after=digests[3]) == (digests[4:], False)
    assert page(artifact_type="application/0") == (even, False)
    assert page(artifact_type="application/0", after=even[0], size=1) == (even[1:2], True)
    assert page(artifact_type="application/none") == ([], False)


@pytest.mark.parametrize("size", [1, 10_000, 30_000, 130_000])
def test_pages_of_referrers_end_after_so_many_bytes_and_meet_each_once(rows, size):
    subject, filler = digest_of(b"subject"), b'{"a":"%s"}' % (b"x" * 9000)

    async def scenario():
        for number in range(20):
            await put(rows, manifest_of(b"%d" % number, subject=subject, annotations=filler))
        found, after, more = [], None, True
        while more:
            page, more = await rows.manifests.page_referrers(
                REPOSITORY, subject, artifact_type=None, after=after, size=size
            )
            assert sum(len(each.annotations) for each in page) <= max(size, len(filler))
            found += page
            after = page[-1].digest
        return [str(each.digest) for each in found]

    assert run(scenario()) == sorted(str(digest_of(b"%d" % number)) for number in range(20))


def test_a_referrer_is_described_in_full(rows):
    subject = digest_of(b"subject")
    manifest = manifest_of(b"m", subject=subject, artifact_type="application/x", annotations=b'{"a":"b"}')
    run(put(rows, manifest))
    (found,), _more = run(rows.manifests.page_referrers(REPOSITORY, subject, artifact_type=None, after=None, size=9))
    assert (found.media_type, found.digest, found.size) == (manifest.media_type, manifest.digest, manifest.size)
    assert (found.artifact_type, found.annotations) == ("application/x", b'{"a":"b"}')


# tags


def test_a_tag_moves_to_the_last_manifest(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "latest")
        await put(rows, manifest_of(b"n"), "latest")

    run(scenario())
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("latest"))) == run(
        rows.manifests.find_manifest(REPOSITORY, digest_of(b"n"))
    )
    assert run(rows.tags.tags_of(REPOSITORY, MANIFEST.digest)) == ["v1"]
    assert run(rows.manifests.find_tagged(REPOSITORY, Tag("none"))) is None
    assert run(rows.manifests.find_tagged(OTHER, Tag("latest"))) is None


def test_tags_come_in_pages_in_ascii_order(rows):
    tags = ["1", "A", "Z", "_x", "a", "a-b", "a.b", "aB", "b"]
    run(put(rows, MANIFEST, *reversed(tags)))
    assert run(rows.tags.page_tags(REPOSITORY, None, 99)) == sorted(tags)
    assert run(rows.tags.page_tags(REPOSITORY, None, 2)) == sorted(tags)[:2]
    assert run(rows.tags.page_tags(REPOSITORY, "a-", 99)) == ["a-b", "a.b", "aB", "b"]
    assert run(rows.tags.page_tags(REPOSITORY, "zzz", 99)) == []
    assert run(rows.tags.page_tags(REPOSITORY, None, 0)) == []


def test_removing_a_tag_leaves_its_manifest_and_other_tags(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        assert await rows.tags.remove_tag(REPOSITORY, Tag("v1"), actor=ACTOR) == TagRemoved(MANIFEST.digest)
        assert await rows.tags.remove_tag(REPOSITORY, Tag("v1"), actor=ACTOR) == TagAbsent()

    run(scenario())
    assert run(rows.tags.tags_of(REPOSITORY, MANIFEST.digest)) == ["v2"]
    assert run(rows.manifests.find_manifest(REPOSITORY, MANIFEST.digest)) == MANIFEST.stored


# repositories


def test_repositories_with_a_manifest_are_listed_in_ascii_order(rows):
    names = [RepositoryName(name) for name in ("a", "a-b", "a/b", "a/b/c", "b")]

    async def scenario():
        await rows.blobs.add_blob(RepositoryName("a/only-blobs"), BLOB, removals=0, actor=ACTOR)
        for name in reversed(names):
            await put(rows, MANIFEST, repository=name)

    run(scenario())
    assert run(rows.repositories.page_repositories(None, 99)) == names
    assert run(rows.repositories.page_repositories("a", 2)) == names[1:3]
    assert run(rows.repositories.page_repositories("a/b", 9)) == names[3:]


def test_a_repository_survives_the_deletion_of_its_last_manifest(rows):
    async def scenario():
        await put(rows, MANIFEST)
        await rows.manifests.remove_manifest(REPOSITORY, MANIFEST.digest, tags=(), actor=ACTOR)

    run(scenario())
    assert run(rows.usage.find_usage(REPOSITORY))
    assert run(rows.repositories.page_repositories(None, 9)) == []


# many at once


def test_many_repositories_may_take_one_blob_at_once(rows):
    names = sorted(RepositoryName(f"team/{number}") for number in range(60))

    async def scenario():
        results = await asyncio.gather(*(rows.blobs.add_blob(name, BLOB, removals=0, actor=ACTOR) for name in names))
        assert results == [BlobAdded()] * len(names)

    run(scenario())
    assert run(rows.blobs.page_holders(BLOB.digest, None, 99)) == names


def test_rows_can_be_read(rows):
    rows.check()


def test_tags_that_pointed_at_one_manifest_move_together(rows):
    async def scenario():
        await put(rows, OLD, "v1", "v2")
        await put(rows, NEW, "v1", "v2")
        for tag in ("v1", "v2"):
            assert (await rows.manifests.find_tagged(REPOSITORY, Tag(tag))).digest == NEW.digest

    run(scenario())
