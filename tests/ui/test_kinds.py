"""What manifests are, by the types that real tools give them."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.oci.media_types import (
    DOCKER_MANIFEST,
    DOCKER_MANIFEST_LIST,
    OCI_ARTIFACT_MANIFEST,
    OCI_IMAGE_INDEX,
    OCI_IMAGE_MANIFEST,
)
from simple_registry.ui.kinds import DOCKER_CONFIG, EMPTY, OCI_CONFIG, Described, Kind, Types, kind_of, predicate_of

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
IN_TOTO = "application/vnd.in-toto+json"
BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
DSSE = "application/vnd.dsse.envelope.v1+json"


def image(config_type, *layer_types, artifact_type=None, **annotations):
    return Types(OCI_IMAGE_MANIFEST, artifact_type, config_type, layer_types, annotations)


@pytest.mark.parametrize(
    ("types", "kind"),
    [
        (image(OCI_CONFIG, LAYER), Kind.IMAGE),
        (image(OCI_CONFIG), Kind.IMAGE),
        (Types(DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_CONFIG, [LAYER]), Kind.IMAGE),
        (Types(OCI_IMAGE_INDEX), Kind.INDEX),
        (Types(DOCKER_MANIFEST_LIST, layer_types=[DOCKER_MANIFEST]), Kind.INDEX),
        (
            image("application/vnd.cncf.helm.config.v1+json", "application/vnd.cncf.helm.chart.content.v1.tar+gzip"),
            "chart",
        ),
        (image("application/vnd.wasm.config.v0+json", "application/wasm"), Kind.WASM),
        (image(OCI_CONFIG, "application/vnd.wasm.content.layer.v1+wasm"), Kind.WASM),
        (image(OCI_CONFIG, "application/vnd.dev.cosign.simplesigning.v1+json"), Kind.COSIGN_SIGNATURE),
        (image(EMPTY, BUNDLE, artifact_type=BUNDLE), Kind.ATTESTATION),
        (image(OCI_CONFIG, DSSE, DSSE), Kind.ATTESTATION),
        (image(OCI_CONFIG, IN_TOTO, IN_TOTO), Kind.ATTESTATION),
        (image(EMPTY, IN_TOTO, artifact_type="application/vnd.docker.attestation.manifest.v1+json"), Kind.ATTESTATION),
        (
            image(EMPTY, "application/jose+json", artifact_type="application/vnd.cncf.notary.signature"),
            Kind.NOTATION_SIGNATURE,
        ),
        (image("application/vnd.cncf.notary.signature", "application/cose"), Kind.NOTATION_SIGNATURE),
        (image(OCI_CONFIG, "text/spdx+json"), Kind.SPDX),
        (image(EMPTY, "application/json", artifact_type="application/spdx+json"), Kind.SPDX),
        (image(EMPTY, "application/vnd.cyclonedx+json; version=1.6"), Kind.CYCLONEDX),
        (image(OCI_CONFIG, "application/vnd.syft+json"), Kind.SBOM),
        (Types(OCI_ARTIFACT_MANIFEST, "application/spdx+json", None, ["application/json"]), Kind.SPDX),
        (Types(OCI_IMAGE_INDEX, layer_types=[LAYER, "application/vnd.buildkit.cacheconfig.v0"]), Kind.BUILD_CACHE),
        (Types(OCI_IMAGE_INDEX, "application/vnd.example.bundle"), Kind.ARTIFACT),
    ],
)
def test_a_manifest_is_what_its_types_claim(types, kind):
    assert kind_of(types).kind == kind


def test_an_unknown_artifact_is_known_by_its_type():
    described = Described(Kind.ARTIFACT, "application/vnd.example+json")
    assert kind_of(image(EMPTY, LAYER, artifact_type="application/vnd.example+json")) == described
    assert kind_of(image("application/vnd.example+json", LAYER)) == described
    # An artifactType outweighs the config of an image.
    assert kind_of(image(OCI_CONFIG, LAYER, artifact_type="application/vnd.example+json")) == described
    assert kind_of(image(EMPTY)) == Described(Kind.ARTIFACT)


def test_layers_of_several_types_say_nothing():
    assert kind_of(image(OCI_CONFIG, "text/spdx+json", LAYER)).kind is Kind.IMAGE


def test_a_bundle_of_sigstore_says_whether_it_signs():
    predicate = {"dev.sigstore.bundle.predicateType": "https://sigstore.dev/cosign/sign/v1"}
    assert kind_of(image(EMPTY, BUNDLE, artifact_type=BUNDLE, **predicate)).kind is Kind.COSIGN_SIGNATURE
    content = {"dev.sigstore.bundle.content": "message-signature"}
    assert kind_of(image(EMPTY, BUNDLE, artifact_type=BUNDLE, **content)).kind is Kind.COSIGN_SIGNATURE


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({"in-toto.io/predicate-type": "https://slsa.dev/provenance/v1"}, "SLSA provenance"),
        ({"predicateType": "https://cyclonedx.org/bom"}, "CycloneDX"),
        ({"dev.sigstore.bundle.predicateType": "https://spdx.dev/Document/v2.3"}, "SPDX"),
        ({"predicateType": "https://example.com/own"}, "https://example.com/own"),
        ({"predicateType": ""}, ""),
        ({}, ""),
    ],
)
def test_an_attestation_says_what_it_is_about(annotations, words):
    assert predicate_of(annotations) == words


@given(st.text(), st.text(), st.lists(st.text()), st.dictionaries(st.text(), st.text()))
def test_any_types_have_a_kind(artifact_type, config_type, layer_types, annotations):
    types = Types(OCI_IMAGE_MANIFEST, artifact_type, config_type, layer_types, annotations)
    assert kind_of(types).kind in Kind
