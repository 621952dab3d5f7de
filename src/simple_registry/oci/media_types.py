"""The media types that decide how a manifest is read and served.

Only manifests have an allow-list: their type comes back to browsers and clients as `Content-Type`. Types of configs,
layers and artifacts decide nothing here: they are kept and listed as they were written.
"""

import re

OCI_IMAGE_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_IMAGE_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json"
"""Of the release candidates of image-spec 1.1; older clients still push it."""
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"

IMAGE_MANIFESTS = frozenset({OCI_IMAGE_MANIFEST, DOCKER_MANIFEST})
"""Types whose documents have `config` and `layers`."""
IMAGE_INDEXES = frozenset({OCI_IMAGE_INDEX, DOCKER_MANIFEST_LIST})
"""Types whose documents have `manifests`."""
MANIFESTS = IMAGE_MANIFESTS | IMAGE_INDEXES | {OCI_ARTIFACT_MANIFEST}
"""Every type that can be pushed to the manifests endpoint."""

UNSPECIFIC = frozenset({"", "application/json", "application/octet-stream"})
"""Content types that say nothing about the document; its own `mediaType` or its shape decides then."""

OCTET_STREAM = "application/octet-stream"

_FOREIGN_LAYERS = (
    "application/vnd.oci.image.layer.nondistributable.v1.",
    "application/vnd.docker.image.rootfs.foreign.diff.",
)

LONGEST = 512
"""Characters of the longest media type that is accepted: types of artifacts are kept in rows."""

_NAME = r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}"
_WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
_QUOTED = r'"(?:[\t !#-\[\]-~]|\\[\t -~])*"'
# Blanks after a semicolon belong to the parameter that follows: read in two ways, they would take exponential time.
_PARAMETERS = rf"(?:[ \t]*;(?:[ \t]*{_WORD}=(?:{_WORD}|{_QUOTED}))?)*"
_MEDIA_TYPE = re.compile(rf"{_NAME}/{_NAME}{_PARAMETERS}", re.ASCII)
_DESCRIPTOR_TYPE = re.compile(rf"{_NAME}(?:/{_NAME})?{_PARAMETERS}", re.ASCII)

# Blanks that no semicolon is beside, and quoted text, which is passed over.
_BLANKS = re.compile(r'"(?:[^"\\]|\\.)*"|(?<![; ]) +(?![; ])')


def is_media_type(text: str) -> bool:
    """Return whether `text` is a media type (RFC 6838, 4.2), perhaps with parameters (RFC 9110, 8.3.1)."""
    return len(text) <= LONGEST and _MEDIA_TYPE.fullmatch(text) is not None


def is_descriptor_type(text: str) -> bool:
    """Return whether a descriptor may have this type: a media type, or one word, as some tools write for layers."""
    return len(text) <= LONGEST and _DESCRIPTOR_TYPE.fullmatch(text) is not None


def with_pluses(text: str) -> str:
    """Return a media type in which form decoding made blanks of bare pluses.

    Only beside a semicolon, and in quotes, does a media type hold blanks of its own.
    """
    if len(text) > LONGEST:
        return text
    return _BLANKS.sub(lambda found: "+" * len(found[0]) if found[0].startswith(" ") else found[0], text)


def is_foreign_layer(media_type: str) -> bool:
    """Tell whether a layer of this type may stay out of the registry (image-spec, "Non-Distributable Layers")."""
    return media_type.startswith(_FOREIGN_LAYERS)


def without_parameters(content_type: str) -> str:
    """Return the media type of a `Content-Type` value, lower-case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()
