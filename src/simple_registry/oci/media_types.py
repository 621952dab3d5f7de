"""The media types that decide how a manifest is read and served.

Only manifests have an allow-list: their type comes back to browsers and clients as `Content-Type`. Types of configs,
layers and artifacts are the business of those who push them.
"""

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


def is_foreign_layer(media_type: str) -> bool:
    """Tell whether a layer of this type may stay out of the registry (image-spec, "Non-Distributable Layers")."""
    return media_type.startswith(_FOREIGN_LAYERS)


def without_parameters(content_type: str) -> str:
    """Return the media type of a `Content-Type` value, lower-case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()
