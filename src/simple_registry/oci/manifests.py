"""Reading a manifest that somebody pushes: what it is, what it needs, what it refers to.

The bytes are kept exactly as they came; this module only decides whether they may be, and draws out what the
registry has to know. A document that two readers could understand differently is refused: both image and index,
a key twice, a key that differs from a known one only in case (Go's decoder would take it), a `Content-Type` that
is not its `mediaType`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor, DescriptorDocument, parse_descriptor
from simple_registry.oci.errors import ManifestInvalid

SCHEMA_VERSION = 2

MOST_ENTRIES = 250_000
"""Most brackets, braces and commas of a manifest; an index that fills 4 MiB with children has under 175,000."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the registry knows of a manifest's content.

    `blobs` must be blobs of the repository; `children` must be manifests or blobs of it (BuildKit's cache indexes
    list layers); `optional` holds foreign layers, which may be absent.
    """

    media_type: str
    artifact_type: str | None
    annotations: Mapping[str, str]
    subject: Descriptor | None
    blobs: tuple[Descriptor, ...]
    children: tuple[Descriptor, ...]
    optional: tuple[Descriptor, ...]


class _Document(msgspec.Struct):
    """The fields of all manifest kinds together; `Manifest` says which belong to which."""

    schemaVersion: int | None = None  # noqa: N815 (the wire's spelling)
    mediaType: str | None = None  # noqa: N815 (the wire's spelling)
    artifactType: str | None = None  # noqa: N815 (the wire's spelling)
    config: DescriptorDocument | None = None
    layers: list[DescriptorDocument] | None = None
    manifests: list[DescriptorDocument] | None = None
    blobs: list[DescriptorDocument] | None = None
    subject: DescriptorDocument | None = None
    annotations: dict[str, str] | None = None
    fsLayers: object = None  # noqa: N815 (the wire's spelling)


_FIELDS = {name.casefold(): name for name in _Document.__struct_fields__}
_DESCRIPTOR_FIELDS = {
    name.casefold(): name for name in (*DescriptorDocument.__struct_fields__, "urls", "data", "platform")
}
_DECODER = msgspec.json.Decoder(_Document)

_FOREIGN_FIELDS = {
    "image": ("manifests", "blobs", "fsLayers"),
    "index": ("config", "layers", "blobs", "fsLayers"),
    "artifact": ("config", "layers", "manifests", "fsLayers"),
}
"""Fields whose presence makes a document of that kind ambiguous."""

_DESCRIPTORS = ("config", "layers", "manifests", "blobs", "subject")
"""Fields that hold a descriptor or a list of them."""


def parse_manifest(data: bytes, content_type: str | None) -> Manifest:
    """Return what `data`, pushed with the header `Content-Type: content_type`, is.

    Raises: ManifestInvalid.
    """
    keys = _top_level_keys(data)
    document = _decode(data)
    media_type = _media_type(document, content_type)
    kind = _kind(media_type)
    for field in _FOREIGN_FIELDS[kind]:
        if field in keys:
            raise ManifestInvalid(field=field, reason=f"a document of type {media_type} cannot have this field")
    if kind != "artifact" and document.schemaVersion != SCHEMA_VERSION:
        raise ManifestInvalid(field="schemaVersion", reason="must be 2")
    if kind == "image" and document.config is None:
        raise ManifestInvalid(field="config", reason="an image manifest needs a config descriptor")
    if kind == "index" and "manifests" not in keys:
        raise ManifestInvalid(field="manifests", reason="an index needs a list of manifests")
    blobs, optional = _blobs(document)
    return Manifest(
        media_type=media_type,
        artifact_type=_artifact_type(document, kind),
        annotations=document.annotations or {},
        subject=parse_descriptor(document.subject, "subject") if document.subject else None,
        blobs=blobs,
        children=tuple(_descriptors(document.manifests or (), "manifests")),
        optional=optional,
    )


def _decode(data: bytes) -> _Document:
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ManifestInvalid(reason=f"not a manifest: {error}") from error


def _top_level_keys(data: bytes) -> frozenset[str]:
    """Return the document's keys, after refusing repeated ones at any depth and misspelt ones that we would read."""
    # Nothing else runs in this process while `json` parses: a million empty lists stop it for a third of a second.
    if sum(map(data.count, (b"[", b"{", b","))) > MOST_ENTRIES:
        raise ManifestInvalid(reason=f"it has more than {MOST_ENTRIES:,} lists, objects and commas")
    try:
        # Decoded first: given bytes, json.loads would guess their encoding and let surrogates pass.
        document = json.loads(data.decode("utf-8"), object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError) as error:
        raise ManifestInvalid(reason=f"not a JSON document: {error}") from error
    if not isinstance(document, dict):
        raise ManifestInvalid(reason="a manifest is a JSON object")
    _refuse_misspelt(document, _FIELDS, "")
    for field in _DESCRIPTORS:
        value = document.get(field)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, dict):
                _refuse_misspelt(each, _DESCRIPTOR_FIELDS, f"{field}.")
    return frozenset(document)


def _refuse_misspelt(document: Mapping[str, object], known: Mapping[str, str], where: str) -> None:
    """Refuse keys that only a reader without regard to case would take for a known one."""
    for key in document:
        expected = known.get(key.casefold(), key)
        if key != expected:
            raise ManifestInvalid(field=f"{where}{key[:160]}", reason=f"ambiguous spelling of {expected}")


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("an object holds the same key twice")
    return document


def _media_type(document: _Document, content_type: str | None) -> str:
    """Return the one type that header, field and shape agree on."""
    announced = media_types.without_parameters(content_type or "")
    declared = document.mediaType or ""
    if declared and announced not in ("", declared):
        raise ManifestInvalid(
            field="mediaType", reason=f"differs from the Content-Type {announced}", mediaType=declared[:160]
        )
    media_type = declared or announced
    if not declared and announced in media_types.UNSPECIFIC:
        media_type = media_types.OCI_IMAGE_INDEX if document.manifests is not None else media_types.OCI_IMAGE_MANIFEST
    if media_type not in media_types.MANIFESTS:
        raise ManifestInvalid(
            field="mediaType",
            reason="not a type of manifest",
            mediaType=media_type[:160],
            supported=sorted(media_types.MANIFESTS),
        )
    return media_type


def _kind(media_type: str) -> str:
    if media_type in media_types.IMAGE_MANIFESTS:
        return "image"
    return "index" if media_type in media_types.IMAGE_INDEXES else "artifact"


def _artifact_type(document: _Document, kind: str) -> str | None:
    """Return the type that referrers listings show (distribution-spec, "Listing Referrers")."""
    if document.artifactType:
        if not media_types.is_media_type(document.artifactType):
            raise ManifestInvalid(
                field="artifactType", reason="not a media type", artifactType=document.artifactType[:160]
            )
        return document.artifactType
    if kind == "image" and document.config is not None:
        return document.config.mediaType
    return None


def _blobs(document: _Document) -> tuple[tuple[Descriptor, ...], tuple[Descriptor, ...]]:
    """Return the blobs that must be there, and the foreign layers that need not."""
    required: list[Descriptor] = []
    optional: list[Descriptor] = []
    if document.config is not None:
        required.append(parse_descriptor(document.config, "config"))
    for layer in _descriptors(document.layers or (), "layers"):
        (optional if media_types.is_foreign_layer(layer.media_type) else required).append(layer)
    required.extend(_descriptors(document.blobs or (), "blobs"))
    return tuple(required), tuple(optional)


def _descriptors(documents: Iterable[DescriptorDocument], where: str) -> Iterable[Descriptor]:
    return (parse_descriptor(document, f"{where}[{index}]") for index, document in enumerate(documents))
