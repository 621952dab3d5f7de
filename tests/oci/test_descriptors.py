"""Descriptors: a type, a digest and a size, or a refusal that names the field."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.descriptors import MAX_SIZE, Descriptor, DescriptorDocument, parse_descriptor
from simple_registry.oci.digests import digest_of
from simple_registry.oci.errors import ManifestInvalid

DIGEST = digest_of(b"layer")
TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"

media_types = st.from_regex(
    r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,20}(/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,20})?( ?; ?[a-z]{1,5}=[a-z]{1,5}){0,2}",
    fullmatch=True,
)


@given(media_types, st.binary(), st.sampled_from(["sha256", "sha512"]), st.integers(0, MAX_SIZE))
def test_a_well_formed_descriptor_is_read_as_it_stands(media_type, data, algorithm, size):
    digest = digest_of(data, algorithm)
    document = DescriptorDocument(digest=str(digest), size=size, mediaType=media_type)
    assert parse_descriptor(document, "config") == Descriptor(media_type, digest, size)


@given(st.text(), st.integers(), st.text())
def test_anything_else_is_refused_with_the_name_of_its_field(digest, size, media_type):
    document = DescriptorDocument(digest=digest, size=size, mediaType=media_type)
    with pytest.raises(ManifestInvalid) as refused:
        parse_descriptor(document, "layers[3]")
    assert str(refused.value.facts["field"]).startswith("layers[3].")


@pytest.mark.parametrize("size", [-1, MAX_SIZE + 1, 2**64, -(2**63)])
def test_sizes_outside_int64_are_refused(size):
    with pytest.raises(ManifestInvalid) as refused:
        parse_descriptor(DescriptorDocument(digest=str(DIGEST), size=size, mediaType=TYPE), "config")
    assert refused.value.facts["field"] == "config.size"
    assert refused.value.facts["size"] == size


@pytest.mark.parametrize("digest", ["", "sha256:", str(DIGEST) + "\n", str(DIGEST).upper(), "md5:" + "0" * 32])
def test_bad_digests_are_refused(digest):
    with pytest.raises(ManifestInvalid) as refused:
        parse_descriptor(DescriptorDocument(digest=digest, size=1, mediaType=TYPE), "config")
    assert refused.value.facts["field"] == "config.digest"


@pytest.mark.parametrize("text", ["sbom", "a/b", "text/plain; charset=utf-8", 'a/b;c="d, e"', "x;y=z"])
def test_a_descriptor_may_have_a_type_with_parameters_or_one_word(text):
    document = DescriptorDocument(digest=str(DIGEST), size=1, mediaType=text)
    assert parse_descriptor(document, "layers[0]").media_type == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "a descriptor needs a media type"), ("a b/c", "not a media type"), ("a/" + "b" * 300, "not a media type")],
)
def test_a_refused_type_is_shown_with_what_is_wrong_with_it(text, reason):
    with pytest.raises(ManifestInvalid) as refused:
        parse_descriptor(DescriptorDocument(digest=str(DIGEST), size=1, mediaType=text), "config")
    assert (refused.value.facts["field"], refused.value.facts["reason"]) == ("config.mediaType", reason)
    assert refused.value.facts.get("mediaType", "") == text[:160]
