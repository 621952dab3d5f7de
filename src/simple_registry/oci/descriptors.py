"""Descriptors: pointers to content by type, digest and size (image-spec, "OCI Content Descriptors")."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, ManifestInvalid

MAX_SIZE = 2**63 - 1
"""Largest size a descriptor may give: the specification's int64."""

_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content."""

    media_type: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class ReferrerDescriptor:
    """What a referrers listing says about one manifest."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None
    annotations: Mapping[str, str]


class DescriptorDocument(msgspec.Struct):
    """A descriptor as it stands in JSON; fields we do not read are allowed and ignored."""

    digest: str
    size: int
    mediaType: str = ""  # noqa: N815 (the wire's spelling)
    artifactType: str | None = None  # noqa: N815 (the wire's spelling)
    annotations: dict[str, str] | None = None


def parse_descriptor(document: DescriptorDocument, where: str) -> Descriptor:
    """Return the descriptor that `document` holds; `where` names its field for the error.

    Raises: ManifestInvalid.
    """
    if not 0 <= document.size <= MAX_SIZE:
        raise ManifestInvalid(field=f"{where}.size", reason="a size is a whole number from 0 to 2^63-1")
    if not is_media_type(document.mediaType):
        raise ManifestInvalid(field=f"{where}.mediaType", reason="a descriptor needs a media type")
    try:
        digest = parse_digest(document.digest)
    except DigestInvalid as error:
        raise ManifestInvalid(
            field=f"{where}.digest", reason="not a sha256 or sha512 digest", digest=document.digest[:160]
        ) from error
    return Descriptor(document.mediaType, digest, document.size)


def is_media_type(text: str) -> bool:
    """Tell whether `text` is a media type without parameters (RFC 6838, section 4.2)."""
    return _MEDIA_TYPE.fullmatch(text) is not None
