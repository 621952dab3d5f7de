"""The media types that decide how a manifest is read and served."""

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
def test_types_that_are_no_manifests_or_could_run_in_a_browser_cannot(kind):
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


@pytest.mark.parametrize("parameters", ["", ";charset=utf-8", " ; charset=utf-8", "; a=b; c=d", ";"])
@pytest.mark.parametrize("kind", sorted(media_types.MANIFESTS))
def test_parameters_are_ignored(kind, parameters):
    assert media_types.without_parameters(kind + parameters) == kind
    assert media_types.without_parameters(kind.upper() + parameters) == kind


@given(st.text())
def test_any_header_value_has_a_type_without_parameters(text):
    assert ";" not in media_types.without_parameters(text)
