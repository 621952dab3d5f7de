"""What every metadata store promises."""

import asyncio
from dataclasses import replace

import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.protocols import Blob, Part, SessionRow
from storage.support import OTHER, REPOSITORY, blob_of, manifest_of, run, yes

BLOB = blob_of(b"blob")
MANIFEST = manifest_of(b"manifest")


@pytest.fixture
def rows(stores):
    return stores.metadata


def no(_known):
    return False


async def put(rows, manifest=MANIFEST, *tags, repository=REPOSITORY, required=()):
    return await rows.put_manifest(
        repository, manifest, tags=[Tag(tag) for tag in tags], required=required, present=yes
    )


def session(name="s", **values):
    defaults = {"repository": REPOSITORY, "identity": "alice", "algorithm": "sha256", "received": 0}
    return SessionRow(session=name, **(defaults | {"received_digest": None, "touched": 5.0, "started": 4.0} | values))


async def open_sessions(rows, *opened, limit=99, share=99):
    return [await rows.add_session(row, limit=limit, share=share) for row in opened]


# blobs


def test_a_blob_belongs_to_the_repository_it_was_added_to_only(rows):
    assert run(rows.add_blob(REPOSITORY, BLOB, present=yes))
    assert rows.find_blob(REPOSITORY, BLOB.digest) == BLOB
    assert rows.find_blob(OTHER, BLOB.digest) is None
    assert rows.find_manifest(REPOSITORY, BLOB.digest) is None
    assert rows.has_repository(REPOSITORY)
    assert not rows.has_repository(OTHER)
    assert rows.known(BLOB.digest)


def test_adding_a_blob_again_is_fine(rows):
    async def scenario():
        assert await rows.add_blob(REPOSITORY, BLOB, present=yes)
        assert await rows.add_blob(REPOSITORY, BLOB, present=yes)

    run(scenario())


def test_a_blob_whose_content_is_gone_changes_nothing(rows):
    async def scenario():
        await open_sessions(rows, session())
        assert not await rows.add_blob(REPOSITORY, BLOB, present=no, session="s")

    run(scenario())
    assert not rows.has_repository(REPOSITORY)
    assert not rows.known(BLOB.digest)
    assert rows.find_session("s") == session()


def test_adding_a_blob_ends_its_session(rows):
    async def scenario():
        await open_sessions(rows, session())
        assert await rows.add_blob(REPOSITORY, BLOB, present=yes, session="s")

    run(scenario())
    assert rows.find_session("s") is None


def test_what_present_raises_passes_through_and_changes_nothing(rows):
    def broken(*_):
        raise StorageFault("look at a file", "broken disk")

    with pytest.raises(StorageFault):
        run(rows.add_blob(REPOSITORY, BLOB, present=broken))
    assert not rows.has_repository(REPOSITORY)


def test_a_mount_takes_what_the_source_holds(rows):
    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        assert await rows.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda blob: blob == BLOB) == BLOB
        assert await rows.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda blob: blob == BLOB) == BLOB

    run(scenario())
    assert rows.find_blob(OTHER, BLOB.digest) == BLOB


def test_a_mount_of_what_the_source_does_not_hold_changes_nothing(rows):
    async def scenario():
        await rows.add_blob(RepositoryName("third"), BLOB, present=yes)
        assert await rows.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda blob: blob == BLOB) is None

    run(scenario())
    assert not rows.has_repository(OTHER)


def test_a_mount_of_a_blob_whose_content_is_gone_changes_nothing(rows):
    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        assert await rows.mount_blob(OTHER, BLOB.digest, REPOSITORY, present=lambda _blob: False) is None

    run(scenario())
    assert not rows.has_repository(OTHER)


def test_a_removed_blob_is_gone_from_its_repository_only(rows):
    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await rows.add_blob(OTHER, BLOB, present=yes)
        assert await rows.remove_blob(REPOSITORY, BLOB.digest)
        assert not await rows.remove_blob(REPOSITORY, BLOB.digest)

    run(scenario())
    assert rows.find_blob(REPOSITORY, BLOB.digest) is None
    assert rows.find_blob(OTHER, BLOB.digest) == BLOB


def test_holders_come_in_pages_by_name(rows):
    names = [RepositoryName(name) for name in ("a", "a-b", "a/b", "b", "c")]

    async def scenario():
        for name in reversed(names):
            await rows.add_blob(name, BLOB, present=yes)

    run(scenario())
    assert rows.page_holders(BLOB.digest, None, 2) == names[:2]
    assert rows.page_holders(BLOB.digest, names[1], 9) == names[2:]


# manifests


def test_a_manifest_is_found_as_it_was_put(rows):
    manifest = manifest_of(
        b"m",
        artifact_type="application/x",
        annotations={"b": "ü\n", "a": ""},
        subject=digest_of(b"subject", "sha512"),
        children=(digest_of(b"z"), digest_of(b"a"), digest_of(b"z")),
    )
    assert run(put(rows, manifest)) == []
    assert rows.find_manifest(REPOSITORY, manifest.digest) == manifest.stored
    assert rows.find_manifest(OTHER, manifest.digest) is None
    assert rows.find_blob(REPOSITORY, manifest.digest) is None
    assert rows.known(manifest.digest)


def test_putting_a_manifest_again_replaces_what_is_known_of_it(rows):
    changed = replace(MANIFEST, media_type="application/json", children=(digest_of(b"c"),), annotations={"a": "b"})

    async def scenario():
        await put(rows, MANIFEST, "v1")
        assert await put(rows, changed) == []

    run(scenario())
    assert rows.find_manifest(REPOSITORY, MANIFEST.digest) == changed.stored
    assert rows.find_tagged(REPOSITORY, Tag("v1")) == changed.stored


def test_lacking_parts_are_named_and_nothing_changes(rows):
    required = [
        (Part.BLOB, digest_of(b"1")),
        (Part.BLOB, BLOB.digest),
        (Part.CHILD, digest_of(b"2")),
        (Part.BLOB, MANIFEST.digest),
    ]

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await put(rows, MANIFEST)
        return await put(rows, manifest_of(b"index"), "v1", required=required)

    assert run(scenario()) == [digest_of(b"1"), digest_of(b"2"), MANIFEST.digest]
    assert rows.find_manifest(REPOSITORY, digest_of(b"index")) is None
    assert rows.find_tagged(REPOSITORY, Tag("v1")) is None
    assert not rows.known(digest_of(b"index"))


def test_missing_parts_are_named_in_order_however_many_there_are(rows):
    absent = [digest_of(b"%d" % number) for number in range(2500)]
    required = [(Part.CHILD, digest) for digest in absent]
    required[1200:1200] = [(Part.BLOB, BLOB.digest), (Part.CHILD, MANIFEST.digest), (Part.BLOB, MANIFEST.digest)]

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await put(rows, MANIFEST)
        for wanted in (required, required[1190:1210]):
            lacking = await rows.missing_parts(REPOSITORY, wanted, present=lambda _blob: True)
            held = wanted.index((Part.BLOB, BLOB.digest))
            assert lacking == [digest for _, digest in wanted[:held] + wanted[held + 2 :]]
            assert await put(rows, manifest_of(b"index"), required=wanted) == lacking
        assert await rows.missing_parts(OTHER, required[1200:1202], present=lambda _blob: True) == [
            BLOB.digest,
            MANIFEST.digest,
        ]

    run(scenario())


@pytest.mark.parametrize("others", [0, 100])
def test_parts_without_their_content_are_missing(rows, others):
    required = [(Part.BLOB, BLOB.digest), (Part.CHILD, MANIFEST.digest)]
    more = [blob_of(b"%d" % number) for number in range(others)]

    async def scenario():
        for blob in (BLOB, *more):
            await rows.add_blob(REPOSITORY, blob, present=yes)
        await put(rows, MANIFEST)
        wanted = required + [(Part.BLOB, blob.digest) for blob in more]
        assert await rows.missing_parts(REPOSITORY, wanted, present=lambda _blob: True) == []
        assert await rows.missing_parts(REPOSITORY, wanted, present=lambda blob: blob != BLOB) == [BLOB.digest]

    run(scenario())


def test_children_may_be_manifests_or_blobs_of_the_same_repository(rows):
    required = [(Part.CHILD, BLOB.digest), (Part.CHILD, MANIFEST.digest)]

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await put(rows, MANIFEST)
        assert await put(rows, manifest_of(b"index"), required=required) == []
        assert await put(rows, manifest_of(b"index"), required=required, repository=OTHER) == [
            BLOB.digest,
            MANIFEST.digest,
        ]

    run(scenario())
    assert not rows.has_repository(OTHER)


def test_a_manifest_whose_content_is_gone_changes_nothing(rows):
    assert run(rows.put_manifest(REPOSITORY, MANIFEST, tags=[Tag("v1")], required=(), present=no)) is None
    assert not rows.has_repository(REPOSITORY)
    assert rows.find_tagged(REPOSITORY, Tag("v1")) is None


def test_a_removed_manifest_takes_its_tags_along_and_no_others(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        await put(rows, manifest_of(b"n"), "v3")
        await put(rows, MANIFEST, "v1", repository=OTHER)
        assert await rows.remove_manifest(REPOSITORY, MANIFEST.digest, tags=[Tag("v2"), Tag("v1")])
        assert await rows.remove_manifest(REPOSITORY, MANIFEST.digest, tags=[Tag("v2"), Tag("v1")]) is False

    run(scenario())
    assert rows.find_manifest(REPOSITORY, MANIFEST.digest) is None
    assert rows.page_tags(REPOSITORY, None, 9) == ["v3"]
    assert rows.page_tags(OTHER, None, 9) == ["v1"]


@pytest.mark.parametrize("tags", [["v1"], [], ["v1", "v2", "v3"], ["v1", "other"]])
def test_a_manifest_with_other_tags_than_were_named_stays_with_all_of_them(rows, tags):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        await put(rows, manifest_of(b"n"), "other")
        assert await rows.remove_manifest(REPOSITORY, MANIFEST.digest, tags=[Tag(tag) for tag in tags]) is None

    run(scenario())
    assert rows.find_manifest(REPOSITORY, MANIFEST.digest) == MANIFEST.stored
    assert rows.page_tags(REPOSITORY, None, 9) == ["other", "v1", "v2"]


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
        arguments = {"artifact_type": None, "after": None, "limit": 99} | values
        return [found.digest for found in rows.page_referrers(REPOSITORY, subject, **arguments)]

    digests = [manifest.digest for manifest in manifests]
    even = [manifest.digest for manifest in manifests if manifest.artifact_type == "application/0"]
    assert page() == digests
    assert page(limit=4) == digests[:4]
    assert page(after=digests[3]) == digests[4:]
    assert page(artifact_type="application/0") == even
    assert page(artifact_type="application/0", after=even[0], limit=2) == even[1:3]
    assert page(artifact_type="application/none") == []


def test_a_referrer_is_described_in_full(rows):
    subject = digest_of(b"subject")
    manifest = manifest_of(b"m", subject=subject, artifact_type="application/x", annotations={"a": "b"})
    run(put(rows, manifest))
    (found,) = rows.page_referrers(REPOSITORY, subject, artifact_type=None, after=None, limit=9)
    assert (found.media_type, found.digest, found.size) == (manifest.media_type, manifest.digest, manifest.size)
    assert (found.artifact_type, dict(found.annotations)) == ("application/x", {"a": "b"})


# tags


def test_a_tag_moves_to_the_last_manifest(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "latest")
        await put(rows, manifest_of(b"n"), "latest")

    run(scenario())
    assert rows.find_tagged(REPOSITORY, Tag("latest")) == rows.find_manifest(REPOSITORY, digest_of(b"n"))
    assert rows.tags_of(REPOSITORY, MANIFEST.digest) == ["v1"]
    assert rows.find_tagged(REPOSITORY, Tag("none")) is None
    assert rows.find_tagged(OTHER, Tag("latest")) is None


def test_tags_come_in_pages_in_ascii_order(rows):
    tags = ["1", "A", "Z", "_x", "a", "a-b", "a.b", "aB", "b"]
    run(put(rows, MANIFEST, *reversed(tags)))
    assert rows.page_tags(REPOSITORY, None, 99) == sorted(tags)
    assert rows.page_tags(REPOSITORY, None, 2) == sorted(tags)[:2]
    assert rows.page_tags(REPOSITORY, "a-", 99) == ["a-b", "a.b", "aB", "b"]
    assert rows.page_tags(REPOSITORY, "zzz", 99) == []
    assert rows.page_tags(REPOSITORY, None, 0) == []


def test_removing_a_tag_leaves_its_manifest_and_other_tags(rows):
    async def scenario():
        await put(rows, MANIFEST, "v1", "v2")
        assert await rows.remove_tag(REPOSITORY, Tag("v1"))
        assert not await rows.remove_tag(REPOSITORY, Tag("v1"))

    run(scenario())
    assert rows.tags_of(REPOSITORY, MANIFEST.digest) == ["v2"]
    assert rows.find_manifest(REPOSITORY, MANIFEST.digest) == MANIFEST.stored


# repositories


def test_repositories_with_a_manifest_are_listed_in_ascii_order(rows):
    names = [RepositoryName(name) for name in ("a", "a-b", "a/b", "a/b/c", "b")]

    async def scenario():
        await rows.add_blob(RepositoryName("a/only-blobs"), BLOB, present=yes)
        for name in reversed(names):
            await put(rows, MANIFEST, repository=name)

    run(scenario())
    assert rows.page_repositories(None, 99) == names
    assert rows.page_repositories("a", 2) == names[1:3]
    assert rows.page_repositories("a/b", 9) == names[3:]


def test_a_repository_stays_when_its_last_manifest_goes(rows):
    async def scenario():
        await put(rows, MANIFEST)
        await rows.remove_manifest(REPOSITORY, MANIFEST.digest, tags=())

    run(scenario())
    assert rows.has_repository(REPOSITORY)
    assert rows.page_repositories(None, 9) == []


# sessions


def test_a_session_is_kept_replaced_and_removed(rows):
    changed = session(client="192.0.2.1", received=4, received_digest=digest_of(b"data"), touched=6.5)

    async def scenario():
        assert await open_sessions(rows, session()) == [True]
        assert rows.find_session("s") == session()
        assert rows.count_sessions() == 1
        assert await rows.update_session(changed) == rows.find_session("s") == replace(changed, generation=1)
        assert await rows.remove_session("s")
        assert not await rows.remove_session("s")
        assert not await rows.update_session(replace(changed, generation=1))
        assert await rows.claim_session("s") is None

    run(scenario())
    assert rows.find_session("s") is None
    assert rows.count_sessions() == 0


def test_a_session_is_updated_only_in_the_generation_that_was_read(rows):
    async def scenario():
        await open_sessions(rows, session())
        older = rows.find_session("s")
        newer = await rows.claim_session("s")
        assert newer == rows.find_session("s") == replace(older, generation=1)
        assert not await rows.update_session(replace(older, received=4))
        assert rows.find_session("s") == newer
        assert await rows.update_session(replace(newer, received=5))
        assert not await rows.update_session(replace(newer, received=6))
        assert rows.find_session("s") == replace(newer, received=5, generation=2)

    run(scenario())


def test_of_many_updates_of_one_generation_one_counts(rows):
    async def scenario():
        await open_sessions(rows, session())
        updates = [rows.update_session(session(received=number)) for number in range(1, 9)]
        done = await asyncio.gather(*updates)
        assert done.count(None) == 7
        assert rows.find_session("s") in done

    run(scenario())


def test_sessions_are_bounded_together_and_by_share(rows):
    alice, bob = session("a"), session("b", identity="bob")
    here, there = (session(client, identity="anonymous", client=client) for client in ("192.0.2.1", "2001:db8::/64"))

    async def scenario():
        assert await open_sessions(rows, alice, bob, here, there, share=1) == [True] * 4
        for row in (alice, bob, here, there):
            assert await open_sessions(rows, replace(row, session="more"), share=1) == [False]
        assert await open_sessions(rows, session("eve", identity="eve"), limit=4) == [False]
        assert rows.count_sessions() == 4
        await rows.remove_session("a")
        assert await open_sessions(rows, session("again"), limit=4, share=1) == [True]

    run(scenario())


def test_of_many_sessions_opened_at_once_a_share_is_kept(rows):
    async def scenario():
        opened = [rows.add_session(session(str(number)), limit=99, share=5) for number in range(20)]
        assert sum(await asyncio.gather(*opened)) == rows.count_sessions() == 5

    run(scenario())


def test_sessions_are_read_in_pages(rows):
    run(open_sessions(rows, *(session(name) for name in "cab")))
    assert [row.session for row in rows.page_sessions("", 2)] == ["a", "b"]
    assert [row.session for row in rows.page_sessions("b", 2)] == ["c"]


def test_empty_sessions_are_those_of_one_share_untouched_for_longest(rows):
    opened = [session(str(number), touched=float(10 - number)) for number in range(5)]
    others = [session("full", received=1, touched=1.0), session("bob", identity="bob"), session("here", client="::1")]
    run(open_sessions(rows, *opened, *others))
    assert [row.session for row in rows.page_empty("alice", "", 99)] == ["4", "3", "2", "1", "0"]
    assert [row.session for row in rows.page_empty("alice", "", 2)] == ["4", "3"]
    assert rows.page_empty("eve", "", 9) == []


# garbage


def test_content_is_unheld_from_the_moment_its_last_holder_goes(rows, clock):
    start = clock.time

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await rows.add_blob(OTHER, BLOB, present=yes)
        clock.time = start + 1
        await rows.remove_blob(REPOSITORY, BLOB.digest)
        assert rows.page_unheld(start + 99, 9) == []
        clock.time = start + 2
        await rows.remove_blob(OTHER, BLOB.digest)

    run(scenario())
    assert rows.page_unheld(start + 2, 9) == []
    assert rows.page_unheld(start + 2.5, 9) == [BLOB.digest]
    assert rows.known(BLOB.digest)


def test_content_held_as_manifest_and_as_blob_needs_both_to_go(rows, clock):
    later = clock.time + 9

    async def scenario():
        await put(rows, MANIFEST)
        await rows.add_blob(OTHER, Blob(MANIFEST.digest, MANIFEST.size), present=yes)
        await rows.remove_manifest(REPOSITORY, MANIFEST.digest, tags=())
        assert rows.page_unheld(later, 9) == []
        await rows.remove_blob(OTHER, MANIFEST.digest)
        assert rows.page_unheld(later, 9) == [MANIFEST.digest]

    run(scenario())


@pytest.mark.parametrize("way", ["add", "put"])
def test_content_that_finds_a_holder_again_is_not_collected(rows, clock, way):
    later = clock.time + 9

    async def scenario():
        await rows.add_blob(REPOSITORY, Blob(MANIFEST.digest, MANIFEST.size), present=yes)
        await rows.remove_blob(REPOSITORY, MANIFEST.digest)
        if way == "add":
            await rows.add_blob(OTHER, Blob(MANIFEST.digest, MANIFEST.size), present=yes)
        else:
            await put(rows, MANIFEST, repository=OTHER)
        assert rows.page_unheld(later, 9) == []
        assert not await rows.forget(MANIFEST.digest, before=later, remove=pytest.fail)

    run(scenario())
    assert rows.known(MANIFEST.digest)


def test_unheld_content_comes_longest_unheld_first(rows, clock):
    start = clock.time
    blobs = [blob_of(str(number).encode()) for number in range(4)]

    async def scenario():
        for number, blob in enumerate(blobs):
            await rows.add_blob(REPOSITORY, blob, present=yes)
            clock.time = start - number
            await rows.remove_blob(REPOSITORY, blob.digest)

    run(scenario())
    assert rows.page_unheld(start, 2) == [blobs[3].digest, blobs[2].digest]


def test_forgotten_content_is_removed_once_its_row_is_gone(rows, clock):
    removed = []

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await rows.remove_blob(REPOSITORY, BLOB.digest)
        assert await rows.forget(
            BLOB.digest, before=clock.time + 1, remove=lambda: removed.append(rows.known(BLOB.digest))
        )
        assert not await rows.forget(BLOB.digest, before=clock.time + 1, remove=pytest.fail)

    run(scenario())
    assert removed == [False]
    assert not rows.known(BLOB.digest)


def test_content_unheld_too_short_or_unknown_is_not_forgotten(rows, clock):
    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        assert not await rows.forget(BLOB.digest, before=clock.time + 99, remove=pytest.fail)
        await rows.remove_blob(REPOSITORY, BLOB.digest)
        assert not await rows.forget(BLOB.digest, before=clock.time, remove=pytest.fail)
        assert not await rows.forget(digest_of(b"unknown"), before=clock.time + 99, remove=pytest.fail)

    run(scenario())
    assert rows.known(BLOB.digest)


def test_what_remove_raises_passes_through_and_the_row_is_gone(rows, clock):
    def broken(*_):
        raise StorageFault("remove a file", "broken disk")

    async def scenario():
        await rows.add_blob(REPOSITORY, BLOB, present=yes)
        await rows.remove_blob(REPOSITORY, BLOB.digest)
        with pytest.raises(StorageFault):
            await rows.forget(BLOB.digest, before=clock.time + 1, remove=broken)

    run(scenario())
    assert not rows.known(BLOB.digest)


# many at once


def test_many_repositories_may_take_one_blob_at_once(rows):
    names = sorted(RepositoryName(f"team/{number}") for number in range(60))

    async def scenario():
        results = await asyncio.gather(*(rows.add_blob(name, BLOB, present=yes) for name in names))
        assert all(results)

    run(scenario())
    assert rows.page_holders(BLOB.digest, None, 99) == names


def test_what_fails_leaves_its_neighbours_be(rows):
    def broken(*_):
        raise StorageFault("look at a file", "broken disk")

    async def scenario():
        return await asyncio.gather(
            *(
                rows.add_blob(REPOSITORY, blob_of(str(number).encode()), present=broken if number % 3 else yes)
                for number in range(30)
            ),
            return_exceptions=True,
        )

    results = run(scenario())
    for number, result in enumerate(results):
        found = rows.find_blob(REPOSITORY, digest_of(str(number).encode()))
        assert (result is True) == (number % 3 == 0) == (found is not None)


def test_rows_can_be_read(rows):
    rows.check()
