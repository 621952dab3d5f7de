"""Content that is taken into repositories, once."""

import pytest

from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import DigestInvalid, Several
from simple_registry.oci.names import parse_repository_name, parse_tag
from support.documents import encode, image, push_image
from support.moving import intake_of
from support.streams import stream_of

A, B = map(parse_repository_name, "ab")
V1, V2 = map(parse_tag, ("v1", "v2"))
LAYER = b"layer"
DIGEST = digest_of(LAYER)


def test_a_blob_is_taken(front):
    intake = intake_of(front)
    assert not front.run(intake.has_blob(A, DIGEST))
    front.run(intake.put_blob(A, DIGEST, len(LAYER), stream_of(LAYER)))
    assert front.run(intake.has_blob(A, DIGEST))
    assert front.get(f"/v2/a/blobs/{DIGEST}").body == LAYER


def test_a_blob_of_another_repository_is_mounted(front):
    front.push_blob("a", LAYER)
    assert front.run(intake_of(front).has_blob(B, DIGEST))
    assert front.get(f"/v2/b/blobs/{DIGEST}").body == LAYER


def test_other_bytes_leave_nothing(front):
    with front.unchanged(), pytest.raises(DigestInvalid):
        front.run(intake_of(front).put_blob(A, DIGEST, 5, stream_of(b"other")))


def test_a_manifest_is_taken_unless_it_is_there_with_its_tags(front):
    data = push_image(front, "a", "v1", LAYER)
    intake, digest = intake_of(front), digest_of(data)

    def put(*tags):
        return front.run(intake.put_manifest(A, digest, data, media_type=None, tags=tags))

    with front.unchanged():
        assert not put(V1)
        assert not put()
    assert put(V1, V2)
    assert front.get("/v2/a/manifests/v2").body == data


@pytest.mark.parametrize("required", [True, False])
def test_parts_are_required_unless_the_registry_served_it_without(front, required):
    data = encode(image(LAYER))
    intake = intake_of(front) if required else intake_of(front, None)
    if required:
        with front.unchanged(), pytest.raises(Several):
            front.run(intake.put_manifest(A, digest_of(data), data, media_type=None, tags=[V1]))
        return
    front.push_blob("a", LAYER + b"of another size")
    assert front.run(intake.put_manifest(A, digest_of(data), data, media_type=None, tags=[V1]))
    assert front.get("/v2/a/manifests/v1").body == data
