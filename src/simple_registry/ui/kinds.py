"""The kind of a manifest, by its types, since a registry stores all kinds of artifacts in the same form.

    artifactType ──► type of the config ──► types of the layers ──► the form: image, index or artifact

The first that says more than the form decides. Nothing here is verified: a manifest is what its types claim.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.oci import media_types


class Kind(StrEnum):
    """A kind of manifest."""

    IMAGE = "image"
    INDEX = "index"
    CHART = "chart"
    WASM = "wasm"
    COSIGN_SIGNATURE = "cosign-signature"
    NOTATION_SIGNATURE = "notation-signature"
    ATTESTATION = "attestation"
    SPDX = "spdx"
    CYCLONEDX = "cyclonedx"
    SBOM = "sbom"
    """A bill of materials in another format."""
    BUILD_CACHE = "build-cache"
    ARTIFACT = "artifact"
    """Anything else, known by its type."""


@dataclass(frozen=True, slots=True)
class Types:
    """The types of a manifest: its own, that of its artifact, of its config, and of its layers."""

    media_type: str
    artifact_type: str | None = None
    config_type: str | None = None
    layer_types: Sequence[str] = ()
    annotations: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Described:
    """A kind, and the type by which it is known if it is one of many (`Kind.ARTIFACT`)."""

    kind: Kind
    type: str = ""


OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
COSIGN_PAYLOAD = "application/vnd.dev.cosign.simplesigning.v1+json"

_IMAGE_CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
_GENERIC = frozenset({EMPTY, "application/vnd.oci.scratch.v1+json", "application/octet-stream", "application/json"})
"""Types of configs that every kind of artifact uses."""

_BUNDLE = "application/vnd.dev.sigstore.bundle"
_BUNDLE_CONTENT = "dev.sigstore.bundle.content"
_BUNDLE_PREDICATE = "dev.sigstore.bundle.predicateType"
_COSIGN_PREDICATE = "https://sigstore.dev/cosign/sign/"

_KINDS: Mapping[str, Kind] = {
    "application/vnd.cncf.helm.config.v1+json": Kind.CHART,
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip": Kind.CHART,
    "application/vnd.wasm.config.v0+json": Kind.WASM,
    "application/vnd.wasm.config.v1+json": Kind.WASM,
    "application/vnd.wasm.content.layer.v1+wasm": Kind.WASM,
    "application/wasm": Kind.WASM,
    COSIGN_PAYLOAD: Kind.COSIGN_SIGNATURE,
    "application/vnd.dev.cosign.artifact.sig.v1+json": Kind.COSIGN_SIGNATURE,
    "application/vnd.dev.cosign.artifact.sbom.v1+json": Kind.SBOM,
    "application/vnd.cncf.notary.signature": Kind.NOTATION_SIGNATURE,
    "application/vnd.cncf.notary.v2.signature": Kind.NOTATION_SIGNATURE,
    "application/vnd.in-toto+json": Kind.ATTESTATION,
    "application/vnd.dsse.envelope.v1+json": Kind.ATTESTATION,
    "application/vnd.docker.attestation.manifest.v1+json": Kind.ATTESTATION,
    "application/spdx+json": Kind.SPDX,
    "text/spdx+json": Kind.SPDX,
    "text/spdx+xml": Kind.SPDX,
    "text/spdx": Kind.SPDX,
    "application/vnd.cyclonedx+json": Kind.CYCLONEDX,
    "application/vnd.cyclonedx+xml": Kind.CYCLONEDX,
    "application/vnd.cyclonedx": Kind.CYCLONEDX,
    "application/vnd.syft+json": Kind.SBOM,
    "application/vnd.buildkit.cacheconfig.v0": Kind.BUILD_CACHE,
}
"""Types of artifacts, configs and layers, without parameters."""

_PREDICATES: Sequence[tuple[str, str]] = (
    ("https://slsa.dev/provenance/", "SLSA provenance"),
    ("https://spdx.dev/Document", "SPDX"),
    ("https://cyclonedx.org/", "CycloneDX"),
    ("https://cosign.sigstore.dev/attestation/vuln/", "vulnerability scan"),
    ("https://openvex.dev/", "OpenVEX"),
    ("https://in-toto.io/attestation/vulns", "vulnerability scan"),
    ("https://in-toto.io/attestation/test-result/", "test result"),
)
"""What predicates of in-toto statements are, by the beginnings of their types."""

_PREDICATE_ANNOTATIONS = ("in-toto.io/predicate-type", "predicateType", _BUNDLE_PREDICATE)
"""Annotations that name a predicate's type: of BuildKit, of cosign, and of Sigstore's bundles."""


def kind_of(types: Types) -> Described:
    """Return what a manifest claims to be."""
    if types.media_type in media_types.IMAGE_INDEXES:
        return _of_index(types)
    for each in (types.artifact_type, types.config_type):
        found = _of_type(each, types.annotations or {})
        if found is not None:
            return Described(found)
    layers = {media_types.without_parameters(each) for each in types.layer_types}
    by_layers = {_KINDS.get(each) for each in layers}
    if len(by_layers) == 1 and (only := by_layers.pop()) is not None:
        return Described(only)
    # An artifactType that differs from the config's type means an artifact other than an image, whatever the config.
    named = next((each for each in (types.artifact_type, types.config_type) if each and each not in _GENERIC), None)
    if named in _IMAGE_CONFIGS:
        return Described(Kind.IMAGE)
    return Described(Kind.ARTIFACT, named or "")


def predicate_of(annotations: Mapping[str, str]) -> str:
    """Return what an attestation says about its subject, in words or as the type of its predicate; perhaps empty."""
    for name in _PREDICATE_ANNOTATIONS:
        if predicate := annotations.get(name):
            return next((words for beginning, words in _PREDICATES if predicate.startswith(beginning)), predicate)
    return ""


def _of_index(types: Types) -> Described:
    found = _of_type(types.artifact_type, {})
    if found is not None:
        return Described(found)
    if "application/vnd.buildkit.cacheconfig.v0" in types.layer_types:
        return Described(Kind.BUILD_CACHE)
    return Described(Kind.ARTIFACT, types.artifact_type) if types.artifact_type else Described(Kind.INDEX)


def _of_type(text: str | None, annotations: Mapping[str, str]) -> Kind | None:
    essence = media_types.without_parameters(text or "")
    if essence.startswith(_BUNDLE):
        signs = annotations.get(_BUNDLE_PREDICATE, "").startswith(_COSIGN_PREDICATE)
        signs |= annotations.get(_BUNDLE_CONTENT) == "message-signature"
        return Kind.COSIGN_SIGNATURE if signs else Kind.ATTESTATION
    return _KINDS.get(essence)
