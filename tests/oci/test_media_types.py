"""The media types that decide how a manifest is read and served."""

import time
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci import media_types


@pytest.mark.parametrize(
    "kind",
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.artifact.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ],
)
def test_every_kind_of_manifest_in_use_can_be_pushed(kind):
    assert kind in media_types.MANIFESTS


@pytest.mark.parametrize(
    "kind",
    [
        "text/html",
        "application/json",
        "image/svg+xml",
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ],
)
def test_types_of_other_content_or_of_active_content_are_not_manifest_types(kind):
    assert kind not in media_types.MANIFESTS


def test_images_and_indexes_are_different_things():
    assert not media_types.IMAGE_MANIFESTS & media_types.IMAGE_INDEXES


@pytest.mark.parametrize(
    ("kind", "foreign"),
    [
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", True),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", True),
        ("application/vnd.oci.image.layer.v1.tar+gzip", False),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", False),
        ("x-application/vnd.oci.image.layer.nondistributable.v1.tar", False),
    ],
)
def test_only_foreign_layers_may_stay_away(kind, foreign):
    assert media_types.is_foreign_layer(kind) is foreign


NAMED = ["a/b", "application/vnd.oci.empty.v1+json", "a/" + "b" * 127, "text/x-c++"]
WITH_PARAMETERS = [
    "text/plain; charset=utf-8",
    "text/plain;charset=utf-8",
    "application/vnd.dev.sigstore.bundle+json;version=0.2",
    "a/b ; c=d;e=f",
    'a/b; c="d;e, \\" f"',
    "a/b;",
]
WORDS = ["sbom", "x", "cyclonedx+json", "sbom;v=1"]
NEITHER = [
    "",
    "/",
    "a/",
    "/b",
    "a/b/c",
    "a/b\n",
    "a/b;c",
    "a/b;c=",
    "a/b;=d",
    'a/b;c="d',
    "a/b; c=d e",
    "a /b",
    "\u00e4/b",
    "a/" + "b" * 128,
    "a/\0",
    "text/html, a/b",
    "<script>/x",
    "a/b;c=" + "d" * 512,
]


@pytest.mark.parametrize("text", NAMED + WITH_PARAMETERS)
def test_a_media_type_may_have_parameters(text):
    assert media_types.is_media_type(text)
    assert media_types.is_descriptor_type(text)


@pytest.mark.parametrize("text", WORDS)
def test_one_word_is_a_type_of_descriptors_only(text):
    assert not media_types.is_media_type(text)
    assert media_types.is_descriptor_type(text)


@pytest.mark.parametrize("text", NEITHER)
def test_invalid_media_types_are_detected(text):
    assert not media_types.is_media_type(text)
    assert not media_types.is_descriptor_type(text)


@pytest.mark.parametrize("text", ["a/b" + "; " * 250 + "!", "a/b" + " ;" * 250 + "\x00", "a/b" + " " * 500 + "x"])
def test_a_type_made_to_be_hard_to_read_is_refused_at_once(text):
    started = time.process_time()
    assert not media_types.is_media_type(text)
    assert time.process_time() - started < 0.1


@pytest.mark.parametrize("text", NAMED + WITH_PARAMETERS + WORDS + ["a+b/c+d;e=f+g", "text/x-c++src"])
def test_bare_pluses_are_distinguished_from_blanks(text):
    assert media_types.with_pluses(parse_qsl(f"t={text.replace(';', '%3B')}", keep_blank_values=True)[0][1]) == text
    assert media_types.with_pluses(text) == text


@given(st.text())
def test_any_text_keeps_its_length(text):
    assert len(media_types.with_pluses(text)) == len(text)
    media_types.is_descriptor_type(text)


@pytest.mark.parametrize("parameters", ["", ";charset=utf-8", " ; charset=utf-8", "; a=b; c=d", ";"])
@pytest.mark.parametrize("kind", sorted(media_types.MANIFESTS))
def test_parameters_are_ignored(kind, parameters):
    assert media_types.without_parameters(kind + parameters) == kind
    assert media_types.without_parameters(kind.upper() + parameters) == kind


@given(st.text())
def test_any_header_value_has_a_type_without_parameters(text):
    assert ";" not in media_types.without_parameters(text)
