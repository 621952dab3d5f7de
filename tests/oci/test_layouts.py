"""OCI layouts: paths, indexes and names."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.descriptors import Descriptor
from simple_registry.oci.digests import digest_of
from simple_registry.oci.layouts import (
    Entry,
    LayoutInvalid,
    Name,
    blob_path,
    encode_index,
    parse_blob_path,
    parse_index,
    parse_name,
)
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST

DIGEST = digest_of(b"content")


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_the_path_of_content_leads_back_to_its_digest(algorithm):
    digest = digest_of(b"content", algorithm)
    assert parse_blob_path(blob_path(digest)) == digest


@pytest.mark.parametrize(
    "path",
    [
        "",
        "index.json",
        "blobs/sha256",
        "blobs/sha256/../x",
        f"/{blob_path(DIGEST)}",
        f"{blob_path(DIGEST)}\n",
        "blobs/md5/ab",
    ],
)
def test_other_paths_are_no_content(path):
    assert parse_blob_path(path) is None


@pytest.mark.parametrize("names", [[None], ["v1", None, "team/app:v1"]])
def test_an_index_comes_back(names):
    entries = [Entry(Descriptor(OCI_IMAGE_MANIFEST, DIGEST, 7), name) for name in names]
    assert parse_index(encode_index(entries)) == entries


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "index.json: Expected `object`"),
        ({}, "index.json: Object missing required field `manifests`"),
        ({"manifests": [{"mediaType": "a/b", "digest": "sha256:1", "size": 1}]}, "index.json: manifests[0].digest"),
        ({"manifests": [{"mediaType": "a/b", "digest": str(DIGEST), "size": -1}]}, "index.json: manifests[0].size"),
    ],
)
def test_another_document_is_refused(document, said):
    with pytest.raises(LayoutInvalid) as refused:
        parse_index(json.dumps(document).encode())
    assert str(refused.value).startswith(said)


@pytest.mark.parametrize("data", [b"", b"[" * 100_000, b"\xff"])
def test_what_is_no_document_is_refused(data):
    with pytest.raises(LayoutInvalid):
        parse_index(data)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (None, Name()),
        ("", Name()),
        ("v1", Name(None, "v1")),
        ("team/app:v1", Name("team/app", "v1")),
        ("quay.io/app:v1", Name("quay.io/app", "v1")),
        ("localhost:5000/team/app:v1", Name("team/app", "v1")),
        (f"team/app@{DIGEST}", Name("team/app", None)),
    ],
)
def test_a_name_is_a_tag_perhaps_with_a_repository(text, name):
    assert parse_name(text) == name


@pytest.mark.parametrize("text", ["team/app", "Team:v1", "a:b c", "app@sha256:1", "../x:v1", ":v1", "v1\n"])
def test_other_names_are_refused(text):
    with pytest.raises(LayoutInvalid, match="neither a tag nor"):
        parse_name(text)


@given(st.text(max_size=40))
def test_no_name_fails_otherwise(text):
    with suppress(LayoutInvalid):
        parse_name(text)
