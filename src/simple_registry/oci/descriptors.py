"""Descriptors: pointers to content by type, digest and size (image-spec, "OCI Content Descriptors")."""

from dataclasses import dataclass

import msgspec

from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, ManifestInvalid
from simple_registry.oci.media_types import is_descriptor_type

MAX_SIZE = 2**63 - 1
"""Largest size a descriptor may give: the specification's int64."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content."""

    media_type: str
    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class ReferrerDescriptor:
    """The entry of one manifest in a referrers listing; `annotations` is a JSON object."""

    media_type: str
    digest: Digest
    size: int
    artifact_type: str | None
    annotations: bytes


class DescriptorDocument(msgspec.Struct):
    """A descriptor in JSON; unknown fields are allowed and ignored."""

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
        raise ManifestInvalid(
            field=f"{where}.size", reason="a size is a whole number from 0 to 2^63-1", size=document.size
        )
    if not document.mediaType:
        raise ManifestInvalid(field=f"{where}.mediaType", reason="a descriptor needs a media type")
    if not is_descriptor_type(document.mediaType):
        raise ManifestInvalid(field=f"{where}.mediaType", reason="not a media type", mediaType=document.mediaType[:160])
    try:
        digest = parse_digest(document.digest)
    except DigestInvalid as error:
        raise ManifestInvalid(
            field=f"{where}.digest", reason="not a sha256 or sha512 digest", digest=document.digest[:160]
        ) from error
    return Descriptor(document.mediaType, digest, document.size)
