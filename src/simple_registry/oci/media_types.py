"""The media types that decide how a manifest is parsed and served.

Only manifests have an allow-list, since their type is sent to browsers and clients as `Content-Type`. The types of
configs, layers and artifacts have no effect: they are kept and listed as written.
"""

import re

OCI_IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
"""From release candidates of image-spec 1.1; older clients still push it."""
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGE_MANIFESTS = frozenset({OCI_IMAGE_MANIFEST, DOCKER_MANIFEST})
"""Documents with `config` and `layers`."""
IMAGE_INDEXES = frozenset({OCI_IMAGE_INDEX, DOCKER_MANIFEST_LIST})
"""Documents with `manifests`."""
MANIFESTS = IMAGE_MANIFESTS | IMAGE_INDEXES | {OCI_ARTIFACT_MANIFEST}
"""All types that the manifests endpoint accepts."""

UNSPECIFIC = frozenset({"", "application/json", "application/octet-stream"})
"""Generic content types; the `mediaType` or the shape of the document decides instead."""

OCTET_STREAM = "application/octet-stream"

_FOREIGN_LAYERS = (
    "application/vnd.oci.image.layer.nondistributable.v1.",
    "application/vnd.docker.image.rootfs.foreign.diff.",
)

MAX_LENGTH = 512
"""Characters of a media type; artifact types are kept in rows."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# Blanks after a semicolon belong to the next parameter; an ambiguous grammar would take exponential time.
_PARAMETERS = rf"(?:[ \t]*;(?:[ \t]*{_WORD}=(?:{_WORD}|{_QUOTED}))?)*"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}{_PARAMETERS}", re.ASCII)
_DESCRIPTOR_TYPE = re.compile(rf"{_NAME}(?:/{_NAME})?{_PARAMETERS}", re.ASCII)

# Blanks not beside a semicolon, and quoted text, which is left alone.
_BLANKS = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![; ]) +(?![; ])')


def is_media_type(text: str) -> bool:
    """Return whether `text` is a media type (RFC 6838, 4.2), perhaps with parameters (RFC 9110, 8.3.1)."""
    return len(text) <= MAX_LENGTH and _MEDIA_TYPE.fullmatch(text) is not None


def is_descriptor_type(text: str) -> bool:
    """Return whether a descriptor may have this type: a media type, or a single word, as some tools write."""
    return len(text) <= MAX_LENGTH and _DESCRIPTOR_TYPE.fullmatch(text) is not None


def with_pluses(text: str) -> str:
    """Return a media type with the pluses that form decoding turned into blanks.

    A media type has blanks of its own only beside a semicolon and in quotes.
    """
    if len(text) > MAX_LENGTH:
        return text
    return _BLANKS.sub(lambda found: "+" * len(found[0]) if found[0].startswith(" ") else found[0], text)


def is_foreign_layer(media_type: str) -> bool:
    """Return whether a layer of this type may be absent (image-spec, "Non-Distributable Layers")."""
    return media_type.startswith(_FOREIGN_LAYERS)


def without_parameters(content_type: str) -> str:
    """Return the media type of a `Content-Type` value, lower-case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()
