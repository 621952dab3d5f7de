"""Manifests as pages show them, also broken ones."""

import json

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from simple_registry.ui.kinds import OCI_CONFIG, Kind
from simple_registry.ui.manifest_documents import MAX_ANNOTATIONS, MAX_SHOWN, Platform, read_manifest

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def descriptor(data=b"x", media_type=LAYER, **fields):
    return {"mediaType": media_type, "digest": str(digest_of(data)), "size": len(data), **fields}


def read(media_type=OCI_IMAGE_MANIFEST, **fields):
    return read_manifest(json.dumps({"schemaVersion": 2, **fields}).encode(), media_type)


def child(name, **fields):
    return descriptor(name, OCI_IMAGE_MANIFEST, **fields)


def test_an_image_is_read():
    document = read(
        config=descriptor(b"config", OCI_CONFIG),
        layers=[descriptor(b"one"), descriptor(b"three", annotations={"a": "b"})],
        subject=child(b"subject"),
        annotations={"title": "x"},
    )
    assert document.described.kind is Kind.IMAGE
    assert document.config.digest == digest_of(b"config")
    assert [(each.digest, each.size) for each in document.layers] == [(digest_of(b"one"), 3), (digest_of(b"three"), 5)]
    assert document.layers[1].annotations == {"a": "b"}
    assert document.subject.digest == digest_of(b"subject")
    assert (document.annotations, document.size, document.omitted) == ({"title": "x"}, 14, 0)


def test_an_index_has_platforms_without_those_of_attestations():
    unknown = {"architecture": "unknown", "os": "unknown"}
    document = read(
        OCI_IMAGE_INDEX,
        manifests=[
            child(b"a", platform={"os": "linux", "architecture": "arm64", "variant": "v8"}),
            child(b"b", platform={"os": "windows", "architecture": "amd64", "os.version": "10.0.1"}),
            child(b"c", platform=unknown, annotations={"vnd.docker.reference.type": "attestation-manifest"}),
            child(b"d"),
        ],
    )
    assert [str(each) for each in document.platforms] == ["linux/arm64/v8", "windows/amd64 (10.0.1)"]
    assert [each.is_attestation for each in document.children] == [False, False, True, False]


def test_annotations_are_shown_up_to_a_limit():
    names = [f"name{number}" for number in range(MAX_ANNOTATIONS + 1)]
    assert [*read(annotations=dict.fromkeys(names, "x")).annotations] == names[:-1]


@pytest.mark.parametrize("platform", [None, 3, [], "linux", {"os": 5}, {"os": ""}, {}])
def test_a_broken_platform_is_none(platform):
    document = read(OCI_IMAGE_INDEX, manifests=[child(b"a", platform=platform)])
    assert document.children[0].platform is None
    assert document.platforms == []


def test_what_is_too_much_or_unreadable_is_counted():
    layers = [descriptor() for _ in range(MAX_SHOWN + 1)]
    assert read(layers=layers).omitted == 1
    assert read(layers=[descriptor(), {"digest": "sha256:x"}]).omitted == 1


@pytest.mark.parametrize(
    "data", [b"", b"null", b"[]", b"[" * 5000, b'{"layers":3}', b'{"config":{"size":"x"}}', b"\xff"]
)
def test_a_broken_manifest_has_its_type_alone(data):
    document = read_manifest(data, OCI_IMAGE_INDEX)
    assert document.described.kind is Kind.INDEX
    assert (document.layers, document.children, document.config) == ((), (), None)


def test_a_platform_without_an_os_has_no_text():
    assert str(Platform(os_version="1")) == ""


@given(st.binary())
def test_any_bytes_are_read(data):
    read_manifest(data, OCI_IMAGE_MANIFEST)
