"""A stored manifest as pages show it: what its descriptors say, also in fields that the registry itself ignores.

Manifests were validated when they were pushed. Still a page shows what is there and never fails: what cannot be read is
left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import msgspec

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid
from simple_registry.ui.kinds import Described, Types, kind_of

MAX_SHOWN = 1000
"""Layers or children of one manifest that a page shows."""

MAX_ANNOTATIONS = 500
"""Annotations of one manifest that a page shows."""

_REFERENCE_TYPE = "vnd.docker.reference.type"
_REFERENCE_DIGEST = "vnd.docker.reference.digest"
"""BuildKit's annotations on the descriptor of an attestation in an index."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What an image runs on."""

    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = ""

    def __str__(self) -> str:
        name = "/".join(each for each in (self.os, self.architecture, self.variant) if each)
        return f"{name} ({self.os_version})" if name and self.os_version else name


NO_PLATFORM = Platform()


@dataclass(frozen=True, slots=True)
class Entry:
    """A descriptor, as a page shows it."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None

    @property
    def is_attestation(self) -> bool:
        """Whether it is an attestation of BuildKit, which claims to be for an unknown platform."""
        return self.annotations.get(_REFERENCE_TYPE) == "attestation-manifest"

    @property
    def attested(self) -> str:
        """The digest of the manifest that such an attestation is about; perhaps empty."""
        return self.annotations.get(_REFERENCE_DIGEST, "")


@dataclass(frozen=True, slots=True)
class ManifestDocument:
    """What a manifest says. `omitted` counts layers and children beyond `MAX_SHOWN`, and those that are unreadable."""

    described: Described
    artifact_type: str | None = None
    config: Entry | None = None
    layers: Sequence[Entry] = ()
    children: Sequence[Entry] = ()
    subject: Entry | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)
    omitted: int = 0
    size: int = 0
    """The bytes of config and layers together, as described; of an index 0."""

    @property
    def platforms(self) -> Sequence[Platform]:
        """The platforms of an index."""
        return [each.platform for each in self.children if each.platform is not None and not each.is_attestation]


class _Platform(msgspec.Struct):
    os: str = ""
    architecture: str = ""
    variant: str = ""
    os_version: str = msgspec.field(name="os.version", default="")


class _Descriptor(msgspec.Struct):
    digest: str = ""
    size: int = 0
    mediaType: str = ""  # noqa: N815 (the wire's spelling)
    artifactType: str | None = None  # noqa: N815 (the wire's spelling)
    annotations: dict[str, str] | None = None
    platform: msgspec.Raw = msgspec.Raw()


class _Document(msgspec.Struct):
    artifactType: str | None = None  # noqa: N815 (the wire's spelling)
    config: _Descriptor | None = None
    layers: list[_Descriptor] | None = None
    manifests: list[_Descriptor] | None = None
    blobs: list[_Descriptor] | None = None
    subject: _Descriptor | None = None
    annotations: dict[str, str] | None = None


_DECODER = msgspec.json.Decoder(_Document)
_PLATFORM = msgspec.json.Decoder(_Platform)


def read_manifest(data: bytes, media_type: str) -> ManifestDocument:
    """Return what a manifest says, as far as it can be read."""
    try:
        document = _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return ManifestDocument(kind_of(Types(media_type)))
    layers = [*(document.layers or ()), *(document.blobs or ())]
    children = document.manifests or []
    shown, beneath = _entries(layers), _entries(children)
    config = None if document.config is None else _entry(document.config)
    return ManifestDocument(
        described=kind_of(_types(document, media_type)),
        artifact_type=document.artifactType,
        config=config,
        layers=shown,
        children=beneath,
        subject=None if document.subject is None else _entry(document.subject),
        annotations=dict(islice((document.annotations or {}).items(), MAX_ANNOTATIONS)),
        omitted=len(layers) + len(children) - len(shown) - len(beneath),
        size=sum(each.size for each in layers) + (config.size if config else 0),
    )


def _types(document: _Document, media_type: str) -> Types:
    listed = (
        document.manifests if document.manifests is not None else [*(document.layers or ()), *(document.blobs or ())]
    )
    return Types(
        media_type,
        document.artifactType,
        None if document.config is None else document.config.mediaType,
        [each.mediaType for each in listed],
        document.annotations,
    )


def _entries(documents: Sequence[_Descriptor]) -> Sequence[Entry]:
    found = (_entry(each) for each in documents[:MAX_SHOWN])
    return [each for each in found if each is not None]


def _entry(document: _Descriptor) -> Entry | None:
    try:
        digest = parse_digest(document.digest)
    except DigestInvalid:
        return None
    return Entry(
        document.mediaType,
        digest,
        max(document.size, 0),
        document.artifactType,
        document.annotations or {},
        _platform(document.platform),
    )


def _platform(raw: msgspec.Raw) -> Platform | None:
    try:
        found = _PLATFORM.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None  # absent, or not as specified
    platform = Platform(found.os, found.architecture, found.variant, found.os_version)
    return platform if str(platform) else None
