"""The operations on manifests: all or nothing, checked before and in the transaction."""

import pytest

from simple_registry.content import BytesContent, FileContent, read_content
from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import (
    DigestInvalid,
    ManifestBlobUnknown,
    ManifestInvalid,
    ManifestUnknown,
    Several,
    Unavailable,
)
from simple_registry.oci.names import parse_repository_name, parse_tag
from simple_registry.operations import manifests as module
from simple_registry.operations.manifests import ENTRY_SIZE, IN_MEMORY, ManifestCache, Manifests, Required
from support.documents import CONFIG, encode, image, index, push_image

A = parse_repository_name("a")
V1, V2 = parse_tag("v1"), parse_tag("v2")
OCI = media_types.OCI_IMAGE_MANIFEST


@pytest.fixture
def manifests(front):
    return Manifests(front.kept.stores.metadata, front.kept.stores.content, Required())


def put(front, manifests, reference, data, **how):
    return front.run(manifests.put(A, reference, data, **{"content_type": None} | how))


def test_a_push_tells_what_it_stored(front, manifests):
    front.push_blob("a", CONFIG)
    subject = digest_of(b"subject")
    data = encode(image(subject={"mediaType": OCI, "digest": str(subject), "size": 7}))
    pushed = put(front, manifests, V1, data, tags=[V2])
    assert (pushed.digest, pushed.subject, pushed.tags) == (digest_of(data), subject, {V1: None, V2: None})
    assert manifests.get(A, V2).digest == digest_of(data)


@pytest.mark.parametrize("reference", [V2, digest_of(b"none")])
def test_an_unknown_reference_is_unknown(front, manifests, reference):
    push_image(front, "a", "v1")
    with pytest.raises(ManifestUnknown):
        manifests.get(A, reference)


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


def test_a_part_whose_content_is_gone_is_missing_until_it_is_pushed_again(front, manifests):
    data = push_image(front, "a", "v1", b"layer")
    front.kept.stores.content.remove(digest_of(b"layer"))
    with front.unchanged(), pytest.raises(Several) as missing:
        put(front, manifests, V2, data)
    assert [error.facts["digest"] for error in missing.value.errors] == [str(digest_of(b"layer"))]
    front.push_blob("a", b"layer")
    assert put(front, manifests, V2, data).digest == digest_of(data)


def test_a_part_that_goes_after_it_was_looked_for_still_refuses_the_push(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)
    content = front.kept.stores.content
    keep = content.put

    async def put_and_lose_the_config(*args, **kwargs):
        await keep(*args, **kwargs)
        await front.kept.stores.metadata.remove_blob(A, digest_of(CONFIG))

    monkeypatch.setattr(content, "put", put_and_lose_the_config)
    with pytest.raises(Several):
        put(front, manifests, V1, encode(image()))
    with pytest.raises(ManifestUnknown):
        manifests.get(A, V1)


def test_content_that_goes_before_its_row_is_kept_again(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)
    content, data = front.kept.stores.content, encode(image())
    keep, times = content.put, []

    async def put_and_lose_it_once(digest, *args, **kwargs):
        await keep(digest, *args, **kwargs)
        times.append(digest)
        if len(times) == 1:
            content.remove(digest)

    monkeypatch.setattr(content, "put", put_and_lose_it_once)
    put(front, manifests, V1, data)
    assert len(times) == 2
    assert front.get("/v2/a/manifests/v1").body == data


def test_content_that_never_stays_is_a_failure_and_no_row(front, manifests, monkeypatch):
    front.push_blob("a", CONFIG)

    async def put_nothing(*_args, **_kwargs):
        pass

    monkeypatch.setattr(front.kept.stores.content, "put", put_nothing)
    with front.unchanged(), pytest.raises(Unavailable):
        put(front, manifests, V1, encode(image()))


def test_a_manifest_whose_content_is_gone_is_unknown(front, manifests):
    data = push_image(front, "a", "v1")
    front.kept.stores.content.remove(digest_of(data))
    with pytest.raises(ManifestUnknown):
        front.run(manifests.open(manifests.get(A, V1)))
    push_image(front, "a", "v1")
    assert front.run(manifests.open(manifests.get(A, V1))) == BytesContent(data)


def test_what_was_read_is_at_hand_while_its_content_is_the_same(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")
    row = manifests.get(A, V1)
    assert front.run(manifests.open(row)) == BytesContent(data)
    monkeypatch.setattr(module, "read_content", None)
    assert front.run(manifests.open(row)) == BytesContent(data)


@pytest.mark.parametrize("size", [100, IN_MEMORY, IN_MEMORY + 1, 200_000])
def test_a_large_manifest_is_sent_from_its_file(disk_front, size):
    stores = disk_front.kept.stores
    manifests = Manifests(stores.metadata, stores.content, Required())
    disk_front.push_blob("a", CONFIG)
    empty = encode(image(annotations={"filler": ""}))
    data = encode(image(annotations={"filler": "x" * max(0, size - len(empty))}))
    disk_front.push_manifest("a", "v1", data)
    content = disk_front.run(manifests.open(manifests.get(A, V1)))
    assert isinstance(content, FileContent) is (len(data) > IN_MEMORY)
    assert disk_front.run(read_content(content)) == data
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


def test_a_manifest_that_cannot_be_read_is_unknown(front, manifests, monkeypatch):
    push_image(front, "a", "v1")

    async def fail(_content):
        raise PermissionError

    monkeypatch.setattr(module, "read_content", fail)
    with pytest.raises(ManifestUnknown):
        front.run(manifests.open(manifests.get(A, V1)))


def test_moving_a_tag_writes_no_content_that_is_intact(front, monkeypatch):
    data = push_image(front, "a", "v1")
    monkeypatch.setattr(front.kept.stores.content, "put", None)
    assert front.push_manifest("a", "v2", data) == digest_of(data)
    assert front.get("/v2/a/manifests/v2").body == data


def test_content_that_goes_while_a_tag_is_moved_to_it_is_kept_again(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")
    rows, content = front.kept.stores.metadata, front.kept.stores.content
    put_rows = rows.put_manifest

    async def lose_it_first(*arguments, **how):
        monkeypatch.setattr(rows, "put_manifest", put_rows)
        content.remove(digest_of(data))
        return await put_rows(*arguments, **how)

    monkeypatch.setattr(rows, "put_manifest", lose_it_first)
    put(front, manifests, V2, data)
    assert front.get("/v2/a/manifests/v2").body == data


def test_cached_bytes_do_not_outlive_the_row(front, manifests):
    data = push_image(front, "a", "v1")
    front.run(manifests.open(manifests.get(A, V1)))
    front.run(manifests.delete(A, digest_of(data), insist=lambda _tag: None))
    for reference in (V1, digest_of(data)):
        with pytest.raises(ManifestUnknown):
            manifests.get(A, reference)
    with front.unchanged(), pytest.raises(ManifestUnknown):
        front.run(manifests.delete(A, digest_of(data), insist=lambda _tag: None))


def test_a_manifest_whose_tags_never_stand_still_is_not_deleted(front, manifests, monkeypatch):
    data = push_image(front, "a", "v1")

    async def others(*_arguments, **_how):
        return None

    monkeypatch.setattr(front.kept.stores.metadata, "remove_manifest", others)
    with front.unchanged(), pytest.raises(Unavailable):
        front.run(manifests.delete(A, digest_of(data), insist=lambda _tag: None))


def test_the_cache_is_bounded_by_bytes_and_drops_what_was_used_longest_ago():
    cache = ManifestCache(2 * ENTRY_SIZE + 10)
    one, two, three, huge = (digest_of(data) for data in (b"1", b"2", b"3", b"4"))
    now, then = FileContent("file", 4, (1,)), FileContent("file", 4, (2,))
    cache.keep(one, then, BytesContent(b"aaa"))
    cache.keep(one, now, BytesContent(b"aaaa"))
    cache.keep(two, now, BytesContent(b"bbbb"))
    assert cache.find(one, then) is None
    cache.find(one, now)
    cache.keep(three, now, BytesContent(b"cccc"))
    cache.keep(huge, now, BytesContent(bytes(2 * ENTRY_SIZE)))
    found = [cache.find(each, now) for each in (one, two, three, huge)]
    assert found == [BytesContent(b"aaaa"), None, BytesContent(b"cccc"), None]


def test_a_manifest_that_stays_in_its_file_takes_little_of_the_cache():
    cache = ManifestCache(ENTRY_SIZE)
    content = FileContent("file", 4_000_000, (1,))
    cache.keep(digest_of(b"1"), content, content)
    assert cache.find(digest_of(b"1"), content) is content


@pytest.mark.parametrize(
    ("required", "image_accepted", "index_accepted"),
    [(Required(), False, False), (Required(children=False), False, True), (Required(blobs=False), True, False)],
)
def test_only_required_parts_must_be_there(front, required, image_accepted, index_accepted):
    manifests = Manifests(front.kept.stores.metadata, front.kept.stores.content, required)
    for data, accepted in ((encode(image(b"x")), image_accepted), (encode(index(b"x")), index_accepted)):
        if accepted:
            assert put(front, manifests, V1, data).digest == digest_of(data)
        else:
            with pytest.raises(Several):
                put(front, manifests, V1, data)
