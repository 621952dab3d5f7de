"""Parsing of a pushed manifest: its kind, the parts it needs, and what it refers to.

The bytes are kept exactly as they came; this module only validates them and extracts what the registry needs.
A document that two parsers could read differently is refused: one that is both image and index, a duplicate key,
a key that differs from a known one only in case (Go's decoder accepts it), a `Content-Type` that differs from its
`mediaType`.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor, DescriptorDocument, parse_descriptor
from simple_registry.oci.errors import ManifestInvalid

SCHEMA_VERSION = 2

MAX_ENTRIES = 250_000
"""Limit of brackets, braces and commas in a manifest; a 4 MiB index of children has fewer than 175,000."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A parsed manifest.

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
    """Return the keys of the document, refusing duplicates at any depth and misspellings of known keys."""
    # `json` holds the interpreter while it parses: a million empty lists would block the worker for 0.3 s.
    if sum(map(data.count, (b"[", b"{", b","))) > MAX_ENTRIES:
        raise ManifestInvalid(reason=f"it has more than {MAX_ENTRIES:,} lists, objects and commas")
    try:
        # Decoded first: given bytes, json.loads guesses their encoding and accepts surrogates.
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
    """Refuse keys that a case-insensitive parser would take for a known one."""
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
    """Return the type on which header, field and shape agree."""
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
    """Return the type shown in referrers listings (distribution-spec, "Listing Referrers")."""
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
    """Return the required blobs, and the foreign layers, which are optional."""
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
