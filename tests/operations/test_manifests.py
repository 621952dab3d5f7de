"""The operations on manifests: all or nothing, checked before and in the transaction."""

import asyncio
import json

import pytest
from hypothesis import given, settings, strategies as st

from simple_registry.clock import SystemClock
from simple_registry.content import InMemory, LocalFile
from simple_registry.faults import ContentGone, StorageFault
from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import (
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    PartSizeInvalid,
    PreconditionFailed,
    Several,
    Unavailable,
)
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.oci.preconditions import Precondition
from simple_registry.operations import pages
from simple_registry.operations.contents import Contents
from simple_registry.operations.manifests import (
    MAX_ANNOTATIONS,
    MAX_CACHED,
    Manifests,
    Required,
    kept_annotations,
)
from simple_registry.operations.quotas import Quotas
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.records import ContentRecord, Placed, TagsChanged
from storage.support import mark_damaged
from support.actors import ACTOR
from support.documents import CONFIG, descriptor, encode, image, index, push_image

A = parse_repository_name("a")
V1, V2 = parse_tag("v1"), parse_tag("v2")
OCI = media_types.OCI_IMAGE_MANIFEST


def manifests_of(stores, required, clock):
    rows = stores.rows
    contents = Contents(rows.contents, rows.garbage, stores.content)
    return Manifests(
        rows.manifests,
        rows.tags,
        contents,
        Renewals(SystemClock()),
        required,
        quotas=Quotas(rows.usage, clock),
        keep_parts=True,
    )


@pytest.fixture
def manifests(front):
    return manifests_of(front.kept.stores, Required(), front.clock)


def put(front, manifests, reference, data, **how):
    return front.run(manifests.put(A, reference, data, **{"content_type": None} | how, actor=ACTOR))


def test_a_push_returns_what_it_stored(front, manifests):
    front.push_blob("a", CONFIG)
    subject = digest_of(b"subject")
    data = encode(image(subject={"mediaType": OCI, "digest": str(subject), "size": 7}))
    pushed = put(front, manifests, V1, data, tags=[V2])
    assert (pushed.digest, pushed.subject, pushed.tags) == (digest_of(data), subject, {V1: None, V2: None})
    assert front.run(manifests.pull(A, V2))[0].digest == digest_of(data)


@pytest.mark.parametrize("reference", [V2, digest_of(b"none")])
def test_an_unknown_reference_is_unknown(front, manifests, reference):
    push_image(front, "a", "v1")
    with pytest.raises(ManifestUnknown):
        front.run(manifests.pull(A, reference))


def test_a_refused_push_changes_nothing(front, manifests):
    front.push_blob("a", CONFIG)
    good = encode(image())
    with front.unchanged():
        with pytest.raises(DigestInvalid):
            put(front, manifests, digest_of(b"other"), good)
        with pytest.raises(ManifestInvalid):
            put(front, manifests, V1, b"{}")
        with pytest.raises(Several) as missing:
            put(front, manifests, V1, encode(image(b"x", b"y")))
    assert [type(error) for error in missing.value.errors] == [ManifestBlobUnknown] * 2


def test_a_part_without_its_bytes_is_missing_until_it_is_pushed_again(front, manifests):
    data = push_image(front, "a", "v1", b"layer")
    front.kept.write(digest_of(b"layer"), None)
    assert front.head(f"/v2/a/blobs/{digest_of(b'layer')}").status == 404
    with front.unchanged(), pytest.raises(Several) as missing:
        put(front, manifests, V2, data)
    assert [error.facts["digest"] for error in missing.value.errors] == [str(digest_of(b"layer"))]
    front.push_blob("a", b"layer")
    assert put(front, manifests, V2, data).digest == digest_of(data)


def test_a_part_without_its_bytes_is_missing_even_if_rows_cannot_be_written(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1", b"layer")
    front.kept.write(digest_of(b"layer"), None)

    async def fail(_record):
        raise StorageFault("write rows", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(front.kept.stores.rows.contents, "mark_damaged", fail)
        for manifest in (data, encode(image(b"layer", annotations={"new": ""}))):
            with front.unchanged(), pytest.raises(Several) as missing:
                put(front, manifests, V2, manifest)
            assert [error.facts for error in missing.value.errors] == [{"digest": str(digest_of(b"layer"))}]
    front.push_blob("a", b"layer")
    assert put(front, manifests, V2, data).digest == digest_of(data)


def test_a_part_removed_after_the_check_still_refuses_the_push(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)
    content = front.kept.stores.content
    keep = content.put

    async def put_and_lose_the_config(*args, **kwargs):
        await front.kept.stores.rows.blobs.remove_blob(A, digest_of(CONFIG), actor=ACTOR)
        return await keep(*args, **kwargs)

    monkeypatch.setattr(content, "put", put_and_lose_the_config)
    with pytest.raises(Several):
        put(front, manifests, V1, encode(image()))
    with pytest.raises(ManifestUnknown):
        front.run(manifests.pull(A, V1))


def test_content_that_may_have_been_removed_before_its_row_is_placed_again(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)
    content, data = front.kept.stores.content, encode(image())
    keep, times = content.put, []

    async def put_and_lose_it_once(digest, *args, **kwargs):
        times.append(digest)
        if len(times) == 1:
            await front.kept.stores.rows.garbage.forget([])
        return await keep(digest, *args, **kwargs)

    monkeypatch.setattr(content, "put", put_and_lose_it_once)
    put(front, manifests, V1, data)
    assert len(times) == 2
    assert front.get("/v2/a/manifests/v1").body == data


def test_content_removed_each_time_is_unavailable_and_has_no_row(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)

    async def put_nothing(*_):
        return Placed()

    async def before_others():
        return -1

    monkeypatch.setattr(front.kept.stores.content, "put", put_nothing)
    monkeypatch.setattr(front.kept.stores.rows.contents, "removals", before_others)
    with front.unchanged(), pytest.raises(Unavailable):
        put(front, manifests, V1, encode(image()))


def test_a_manifest_without_its_bytes_is_unknown(front, manifests):
    data = push_image(front, "a", "v1")
    front.kept.write(digest_of(data), None)
    with pytest.raises(ManifestUnknown):
        front.run(manifests.pull(A, V1))
    push_image(front, "a", "v1")
    assert front.run(manifests.pull(A, V1))[1] == InMemory(data)


def test_a_verified_manifest_is_cached_while_its_content_is_the_same(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")
    assert front.run(manifests.pull(A, V1))[1] == InMemory(data)
    monkeypatch.setattr(manifests, "_read_intact", None)
    assert front.run(manifests.pull(A, V1))[1] == InMemory(data)


@pytest.mark.parametrize("size", [100, MAX_CACHED, MAX_CACHED + 1, 200_000])
def test_a_large_manifest_is_sent_from_its_file(disk_front, size):
    stores = disk_front.kept.stores
    manifests = manifests_of(stores, Required(), disk_front.clock)
    disk_front.push_blob("a", CONFIG)
    empty = encode(image(annotations={"filler": ""}))
    data = encode(image(annotations={"filler": "x" * max(0, size - len(empty))}))
    disk_front.push_manifest("a", "v1", data)
    _row, content = disk_front.run(manifests.pull(A, V1))
    assert isinstance(content, LocalFile) is (len(data) > MAX_CACHED)
    assert disk_front.run(content.read()) == data
    assert disk_front.get("/v2/a/manifests/v1").body == data


@pytest.mark.parametrize("warm", [False, True])
@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda data: data[:-1], lambda data: data + b" ", lambda data: b"[" + data[1:]]
)
def test_a_damaged_manifest_is_unknown_to_every_request_until_it_is_pushed_again(front, damage, warm):
    data = push_image(front, "a", "v1")
    digest = digest_of(data)
    paths = ["/v2/a/manifests/v1", f"/v2/a/manifests/{digest}"]
    if warm:
        assert [front.get(path).status for path in paths] == [200, 200]
    front.run(front.kept.stores.content.put(digest, damage(data)))
    for path in paths:
        assert front.get(path).codes == ["MANIFEST_UNKNOWN"]
        assert front.head(path).status == 404
        assert front.get(path, headers={"if-none-match": f'"{digest}"'}).status == 404
    push_image(front, "a", "v1")
    assert [front.get(path).body for path in paths] == [data, data]


@pytest.mark.parametrize(("fault", "error"), [(ContentGone, ManifestUnknown), (StorageFault, StorageFault)])
def test_an_unreadable_manifest_is_unknown_but_a_failing_store_is_a_fault(front, manifests, monkeypatch, fault, error):
    data = push_image(front, "a", "v1")

    async def fail(_content):
        raise fault("read content", "the test says no")

    with monkeypatch.context() as patch:
        for kind in (InMemory, LocalFile):
            patch.setattr(kind, "read", fail)
        with pytest.raises(error):
            front.run(manifests.pull(A, V1))
    assert front.head("/v2/a/manifests/v1").status == (404 if error is ManifestUnknown else 200)
    push_image(front, "a", "v1")
    assert front.get("/v2/a/manifests/v1").body == data


def test_moving_a_tag_writes_no_content_that_is_intact(front, monkeypatch):
    data = push_image(front, "a", "v1")
    monkeypatch.setattr(front.kept.stores.content, "put", None)
    assert front.push_manifest("a", "v2", data) == digest_of(data)
    assert front.get("/v2/a/manifests/v2").body == data


def test_content_that_is_found_damaged_while_a_tag_is_moved_to_it_is_placed_again(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")
    rows = front.kept.stores.rows.manifests
    put_rows = rows.put_manifest

    async def lose_it_first(*arguments, **how):
        monkeypatch.setattr(rows, "put_manifest", put_rows)
        await mark_damaged(front.kept.stores.rows, ContentRecord(digest_of(data), len(data)))
        return await put_rows(*arguments, **how)

    monkeypatch.setattr(rows, "put_manifest", lose_it_first)
    put(front, manifests, V2, data)
    assert front.get("/v2/a/manifests/v2").body == data


def test_cached_bytes_do_not_outlive_the_row(front, manifests):
    data = push_image(front, "a", "v1")
    front.run(manifests.pull(A, V1))
    front.run(manifests.delete(A, digest_of(data), authorize=lambda _tag: None, actor=ACTOR))
    for reference in (V1, digest_of(data)):
        with pytest.raises(ManifestUnknown):
            front.run(manifests.pull(A, reference))
    with front.unchanged(), pytest.raises(ManifestUnknown):
        front.run(manifests.delete(A, digest_of(data), authorize=lambda _tag: None, actor=ACTOR))


def test_other_requests_run_while_many_tags_are_authorized(front, manifests, monkeypatch):
    monkeypatch.setattr(pages, "TURN", 0.0)
    tags = [parse_tag(f"v{number}") for number in range(50)]
    front.push_blob("a", CONFIG)
    data = encode(image())
    put(front, manifests, digest_of(data), data, tags=tags)
    asked, turns = [], []

    async def delete():
        deleting = asyncio.create_task(manifests.delete(A, digest_of(data), authorize=asked.append, actor=ACTOR))
        while len(asked) < len(tags):
            turns.append(len(asked))
            await asyncio.sleep(0)
        return await deleting

    assert sorted(front.run(delete())) == sorted(asked) == sorted(tags)
    assert len(turns) >= len(tags)


def test_a_manifest_whose_tags_keep_changing_is_not_deleted(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")

    async def others(*_arguments, **_how):
        return TagsChanged()

    monkeypatch.setattr(front.kept.stores.rows.manifests, "remove_manifest", others)
    with front.unchanged(), pytest.raises(Unavailable):
        front.run(manifests.delete(A, digest_of(data), authorize=lambda _tag: None, actor=ACTOR))


# ---------------------------------------------------------------- sizes


def sizes(front, manifests, document):
    with front.unchanged(), pytest.raises(Several) as refused:
        put(front, manifests, V1, encode(document))
    return [(type(error), error.facts) for error in refused.value.errors]


def unlike(data, described):
    return (PartSizeInvalid, {"digest": str(digest_of(data)), "described": described, "actual": len(data)})


def test_a_part_of_another_size_is_refused_with_both_sizes(front, manifests):
    push_image(front, "a", "v1", b"layer")
    child = encode(image(b"layer"))
    large = descriptor(b"layer") | {"size": 6}
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    for document, data in (
        (image(layers=[large]), b"layer"),
        (image(layers=[large | {"mediaType": foreign}]), b"layer"),
        (image(config=descriptor(CONFIG) | {"size": 6}), CONFIG),
        (index(manifests=[descriptor(child, OCI) | {"size": 6}]), child),
        (index(manifests=[large]), b"layer"),
        (image(subject=descriptor(child, OCI) | {"size": 6}), child),
    ):
        assert sizes(front, manifests, document) == [unlike(data, 6)]
    assert put(front, manifests, V2, encode(image(layers=[descriptor(b"layer")]))).tags == {V2: None}


def test_parts_that_are_missing_are_named_before_those_of_another_size(front, manifests):
    push_image(front, "a", "v1", b"layer")
    wrong = descriptor(b"layer") | {"size": 1}
    missing = descriptor(b"missing") | {"size": 9}
    (error,) = sizes(front, manifests, image(layers=[wrong, missing, missing | {"size": 8}]))
    assert error == (ManifestBlobUnknown, {"digest": str(digest_of(b"missing"))})


def test_a_part_that_may_be_absent_may_have_any_size_while_it_is(front):
    lenient = manifests_of(front.kept.stores, Required(blobs=False, children=False), front.clock)
    document = encode(image(layers=[descriptor(b"layer") | {"size": 6}]))
    assert put(front, lenient, V1, document).digest == digest_of(document)
    front.push_blob("a", b"layer")
    other = image(layers=[descriptor(b"layer") | {"size": 6}], annotations={"other": ""})
    assert sizes(front, lenient, other) == [unlike(b"layer", 6)]


def test_a_manifest_that_is_held_with_a_wrong_size_can_still_be_tagged(front, manifests):
    lenient = manifests_of(front.kept.stores, Required(blobs=False), front.clock)
    document = encode(image(layers=[descriptor(b"layer") | {"size": 6}]))
    put(front, lenient, V1, document)
    with front.unchanged(), pytest.raises(Several) as missing:
        put(front, manifests, V2, document)
    assert ManifestBlobUnknown in map(type, missing.value.errors)
    for content in (CONFIG, b"layer"):
        front.push_blob("a", content)
    assert put(front, manifests, V2, document).tags == {V2: None}
    assert put(front, manifests, digest_of(document), document, tags=[V2]).tags == {V2: digest_of(document)}
    front.push_blob("b", CONFIG)
    front.push_blob("b", b"layer")
    with front.unchanged(), pytest.raises(Several):
        front.run(manifests.put(parse_repository_name("b"), V1, document, content_type=None, actor=ACTOR))


# ---------------------------------------------------------------- preconditions


def test_a_push_with_an_unmet_precondition_changes_nothing_and_reports_the_target(front, manifests):
    old = push_image(front, "a", "v1")
    with front.unchanged(), pytest.raises(PreconditionFailed) as failed:
        put(front, manifests, V1, encode(image(annotations={"new": ""})), precondition=Precondition(absent=True))
    assert failed.value.facts == {"reference": "v1", "current": str(digest_of(old))}
    with front.unchanged(), pytest.raises(PreconditionFailed) as failed:
        put(front, manifests, V2, encode(image(annotations={"new": ""})), precondition=Precondition(exists=True))
    assert failed.value.facts == {"reference": "v2", "current": None}


def test_an_overtaken_push_leaves_only_condemned_content(front, manifests, monkeypatch):
    old = digest_of(push_image(front, "a", "v1"))
    new = encode(image(annotations={"new": ""}))
    rows = front.kept.stores.rows.manifests
    put_rows = rows.put_manifest

    async def overtaken(*arguments, **how):
        monkeypatch.setattr(rows, "put_manifest", put_rows)
        await manifests.put(A, V1, encode(image(annotations={"other": ""})), content_type=None, actor=ACTOR)
        return await put_rows(*arguments, **how)

    monkeypatch.setattr(rows, "put_manifest", overtaken)
    with pytest.raises(PreconditionFailed):
        put(front, manifests, V1, new, precondition=Precondition(one_of=frozenset({old})))
    condemned = front.run(front.kept.stores.rows.garbage.page_condemned(None, 9))
    assert [each.digest for each in condemned] == [digest_of(new)]
    assert front.run(rows.find_manifest(A, digest_of(new))) is None


def test_a_deletion_with_an_unmet_precondition_changes_nothing(front, manifests):
    digest = digest_of(push_image(front, "a", "v1"))

    def delete(**how):
        return front.run(
            manifests.delete(A, digest, authorize=lambda _tag: None, precondition=Precondition(**how), actor=ACTOR)
        )

    for how in ({"absent": True}, {"none_of": frozenset({digest})}, {"one_of": frozenset({digest_of(b"x")})}):
        with front.unchanged(), pytest.raises(PreconditionFailed):
            delete(**how)
    assert delete(exists=True, one_of=frozenset({digest})) == [V1]
    with pytest.raises(ManifestUnknown):
        delete(exists=True)


@pytest.mark.parametrize("by_tag", [True, False])
def test_a_condition_sees_a_damaged_manifest_as_every_reader_does(front, by_tag):
    data = push_image(front, "a", "v1")
    digest = digest_of(data)
    path = f"/v2/a/manifests/{'v1' if by_tag else digest}"
    front.kept.write(digest, b"x" * len(data))
    assert front.get(path).status == 404
    with front.unchanged():
        for match in ("*", f'"{digest}"', f'"{digest_of(b"other")}"'):
            assert front.delete(path, headers={"if-match": match}).status == 412
    headers = {"if-none-match": "*", "content-type": OCI}
    assert front.put(path, body=data, headers=headers).status == 201
    assert front.get(path).body == data


# ---------------------------------------------------------------- large ones


def test_annotations_too_large_for_a_row_stay_in_the_manifest(front, manifests):
    large = "x" * MAX_ANNOTATIONS
    annotations = {"a": "1", "large": large, "b": "\u00e4\n", **{f"n{n}": "y" * 9000 for n in range(9)}}
    kept = kept_annotations(annotations)
    assert json.loads(kept) == {"a": "1", "b": "\u00e4\n", **{f"n{n}": "y" * 9000 for n in range(7)}}
    assert len(kept) <= MAX_ANNOTATIONS
    assert kept_annotations({}) == b"{}"
    data = encode(index(annotations=annotations))
    put(front, manifests, V1, data)
    assert front.get("/v2/a/manifests/v1").body == data


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text(max_size=20_000), max_size=9))
def test_all_annotations_are_kept_if_they_fit(annotations):
    whole = json.dumps(annotations, ensure_ascii=False, separators=(",", ":"))
    kept = kept_annotations(annotations)
    assert len(kept) <= MAX_ANNOTATIONS
    if len(whole.encode()) <= MAX_ANNOTATIONS:
        assert json.loads(kept) == annotations


@pytest.mark.parametrize(
    ("required", "image_accepted", "index_accepted"),
    [(Required(), False, False), (Required(children=False), False, True), (Required(blobs=False), True, False)],
)
def test_only_required_parts_must_exist(front, required, image_accepted, index_accepted):
    manifests = manifests_of(front.kept.stores, required, front.clock)
    for data, accepted in ((encode(image(b"x")), image_accepted), (encode(index(b"x")), index_accepted)):
        if accepted:
            assert put(front, manifests, V1, data).digest == digest_of(data)
        else:
            with pytest.raises(Several):
                put(front, manifests, V1, data)
