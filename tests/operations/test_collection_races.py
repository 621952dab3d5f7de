"""What a client was told is there stays, whatever a collection does between two of its requests."""

import random

import pytest

from simple_registry.config.settings import GarbageCollection, Settings
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.sqlite.rows import garbage, reviews
from support.documents import CONFIG, descriptor, encode, image, index, push_image
from support.front import Front
from support.stores import on_disk

GRACE = 3600.0
LAYER = b"a layer"
IMAGE = encode(image(LAYER))


SETTINGS = Settings(garbage_collection=GarbageCollection(grace=GRACE, delete_untagged=True))
JSON = {"content-type": "application/json"}


@pytest.fixture
def front(make_front):
    return make_front(SETTINGS)


@pytest.fixture
def collect(front):
    return lambda: front.run(front.services.garbage.collect())


def pass_two_graces(collect, clock):
    """Collect, so that what is found unneeded has ended in the end."""
    for _round in range(2):
        collect()
        clock.advance(GRACE + 1)
    collect()


def push_parts(front, repository):
    for blob in (CONFIG, LAYER):
        front.push_blob(repository, blob)


def assert_whole(front, repository, tag="v1"):
    assert front.get(f"/v2/{repository}/manifests/{tag}").body == IMAGE
    for blob in (CONFIG, LAYER):
        assert front.get(f"/v2/{repository}/blobs/{digest_of(blob)}").body == blob


def test_a_blob_that_a_head_found_is_there_for_the_manifest(front, collect, clock):
    push_parts(front, "a")
    clock.advance(GRACE - 1)
    for blob in (CONFIG, LAYER):
        assert front.head(f"/v2/a/blobs/{digest_of(blob)}").status == 200
    clock.advance(GRACE - 1)
    collect()
    front.push_manifest("a", "v1", IMAGE)
    pass_two_graces(collect, clock)
    assert_whole(front, "a")


def test_a_mounted_blob_outlives_its_source(front, collect, clock):
    push_image(front, "source", "v1", LAYER)
    front.delete(f"/v2/source/manifests/{digest_of(IMAGE)}")
    clock.advance(GRACE - 1)
    for blob in (CONFIG, LAYER):
        assert front.post(f"/v2/a/blobs/uploads/?mount={digest_of(blob)}&from=source").status == 201
    clock.advance(2)
    collect()
    assert front.get(f"/v2/source/blobs/{digest_of(LAYER)}").status == 404
    front.push_manifest("a", "v1", IMAGE)
    assert_whole(front, "a")


def test_a_manifest_that_lost_its_tag_and_got_another_stays(front, collect, clock):
    push_image(front, "a", "v1", LAYER)
    front.delete("/v2/a/manifests/v1")
    collect()
    clock.advance(GRACE - 1)
    front.push_manifest("a", "v2", IMAGE)
    pass_two_graces(collect, clock)
    assert_whole(front, "a", "v2")


def test_a_manifest_that_a_head_found_can_be_a_child(front, collect, clock):
    push_image(front, "a", str(digest_of(IMAGE)), LAYER)
    collect()
    clock.advance(GRACE - 1)
    assert front.head(f"/v2/a/manifests/{digest_of(IMAGE)}").status == 200
    clock.advance(GRACE - 1)
    collect()
    front.push_manifest("a", "both", encode(index(IMAGE)), OCI_IMAGE_INDEX)
    pass_two_graces(collect, clock)
    assert_whole(front, "a", str(digest_of(IMAGE)))


def test_the_layers_of_a_build_cache_stay_with_its_index(front, collect, clock):
    push_parts(front, "a")
    cache = encode(index(LAYER, child_type="application/vnd.oci.image.layer.v1.tar+gzip"))
    front.push_manifest("a", "cache", cache, OCI_IMAGE_INDEX)
    pass_two_graces(collect, clock)
    assert front.get(f"/v2/a/blobs/{digest_of(LAYER)}").body == LAYER
    assert front.get(f"/v2/a/blobs/{digest_of(CONFIG)}").status == 404


def test_signatures_stay_with_their_subject_and_end_with_it(front, collect, clock):
    push_image(front, "a", "v1", LAYER)
    signature = encode(image(subject=descriptor(IMAGE)))
    front.push_manifest("a", str(digest_of(signature)), signature)
    pass_two_graces(collect, clock)
    assert front.get(f"/v2/a/manifests/{digest_of(signature)}").body == signature
    front.delete(f"/v2/a/manifests/{digest_of(IMAGE)}")
    pass_two_graces(collect, clock)
    assert front.get(f"/v2/a/manifests/{digest_of(signature)}").status == 404


def test_a_push_during_the_removal_of_the_same_bytes_is_whole(front, collect, clock, monkeypatch):
    push_image(front, "a", "v1", LAYER)
    front.delete(f"/v2/a/manifests/{digest_of(IMAGE)}")
    clock.advance(GRACE + 1)
    uploads, overtaken = front.kept.stores.uploads, []
    publish = uploads.publish

    async def publish_then_collect(*what):
        place = await publish(*what)
        if not overtaken:
            overtaken.append((await front.services.garbage.collect()).contents)
        return place

    monkeypatch.setattr(uploads, "publish", publish_then_collect)
    push_image(front, "a", "v1", LAYER)
    assert overtaken == [3]
    assert_whole(front, "a")


def test_parts_wait_for_a_manifest_that_can_be_restored(front, collect, clock):
    push_image(front, "a", "v1", LAYER)
    front.delete("/v2/a/manifests/v1")
    collect()
    clock.advance(GRACE - 1)
    front.delete(f"/v2/a/manifests/{digest_of(IMAGE)}")
    clock.advance(GRACE - 1)
    collect()
    body = b'{"digest":"%s"}' % str(digest_of(IMAGE)).encode()
    assert front.post("/api/v1/repositories/a/restore", body=body, headers=JSON).status == 200
    assert_whole(front, "a", str(digest_of(IMAGE)))


def _without_waiting(monkeypatch):
    monkeypatch.setattr(garbage, "_WAITS", "SELECT NULL, NULL WHERE ?1 <> ?2 AND ?3 <> ''")


def _without_subjects(monkeypatch):
    monkeypatch.setattr(reviews, "_KEPT", reviews._KEPT.replace("subject.state = 'needed'", "FALSE"))


def _without_renewal(monkeypatch):
    async def renew(*_what, **_how):
        pass

    monkeypatch.setattr(Renewals, "renew", renew)


@pytest.mark.parametrize(
    ("plant", "race"),
    [
        (_without_waiting, test_parts_wait_for_a_manifest_that_can_be_restored),
        (_without_subjects, test_signatures_stay_with_their_subject_and_end_with_it),
        (_without_renewal, test_a_blob_that_a_head_found_is_there_for_the_manifest),
    ],
)
def test_planted_bugs_are_caught(tmp_path, clock, monkeypatch, plant, race):
    plant(monkeypatch)
    with (
        on_disk(tmp_path / "data", clock) as kept,
        Front(kept, clock, SETTINGS) as front,
        pytest.raises(AssertionError),
    ):
        race(front, lambda: front.run(front.services.garbage.collect()), clock)


@pytest.mark.parametrize("seed", range(5))
def test_tagged_images_survive_any_order_of_requests_and_collections(front, collect, clock, seed):
    chance = random.Random(seed)
    tagged: dict[tuple[str, str], bytes] = {}
    for _step in range(60):
        repository, tag = chance.choice(["a", "b"]), chance.choice(["v1", "v2"])
        layers = chance.sample([LAYER, b"second", b"third"], chance.randint(1, 2))
        match chance.randrange(5):
            case 0 | 1:
                for blob in (CONFIG, *layers):
                    if front.head(f"/v2/{repository}/blobs/{digest_of(blob)}").status == 404:
                        front.push_blob(repository, blob)
                    clock.advance(chance.choice([0, GRACE / 5]))
                    collect()
                tagged[repository, tag] = encode(image(*layers))
                front.push_manifest(repository, tag, tagged[repository, tag])
            case 2:
                front.delete(f"/v2/{repository}/manifests/{tag}")
                tagged.pop((repository, tag), None)
            case 3:
                digest = digest_of(encode(image(*layers)))
                front.delete(f"/v2/{repository}/manifests/{digest}")
                tagged = {
                    key: data for key, data in tagged.items() if (key[0], digest_of(data)) != (repository, digest)
                }
            case 4:
                clock.advance(chance.choice([1, GRACE - 1, GRACE + 1]))
                collect()
        for (name, each), data in tagged.items():
            reply = front.get(f"/v2/{name}/manifests/{each}")
            assert reply.body == data
            for layer in reply.json["layers"]:
                assert front.get(f"/v2/{name}/blobs/{layer['digest']}").status == 200
