"""Documents to push: manifests of every kind that clients send, as bytes."""

import json
from collections.abc import Iterable
from typing import Any

from simple_registry.oci import media_types
from simple_registry.oci.digests import digest_of
from support.front import Front

CONFIG = b"{}"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY_TYPE = "application/vnd.oci.empty.v1+json"

Document = dict[str, Any]


def encode(document: object) -> bytes:
    """Return a document as a client would send it."""
    return json.dumps(document, indent=1).encode()


def descriptor(data: bytes, media_type: str = LAYER_TYPE, *, algorithm: str = "sha256", **further: object) -> Document:
    """Return the descriptor of some content."""
    return {"mediaType": media_type, "digest": str(digest_of(data, algorithm)), "size": len(data), **further}


def image(*layers: bytes, config_type: str = CONFIG_TYPE, **further: object) -> Document:
    """Return an image manifest; a further field that is `None` takes its default away."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_IMAGE_MANIFEST,
        "config": descriptor(CONFIG, config_type),
        "layers": [descriptor(layer) for layer in layers],
        **further,
    }
    return {key: value for key, value in document.items() if value is not None}


def index(*manifests: bytes, child_type: str = media_types.OCI_IMAGE_MANIFEST, **further: object) -> Document:
    """Return an image index."""
    document = {
        "schemaVersion": 2,
        "mediaType": media_types.OCI_IMAGE_INDEX,
        "manifests": [descriptor(manifest, child_type) for manifest in manifests],
        **further,
    }
    return {key: value for key, value in document.items() if value is not None}


def push_image(front: Front, repository: str, reference: str, *layers: bytes, **further: object) -> bytes:
    """Push an image with its parts, and return the bytes of its manifest."""
    for blob in (CONFIG, *layers):
        front.push_blob(repository, blob)
    data = encode(image(*layers, **further))
    front.push_manifest(repository, reference, data)
    return data


def push_tags(front: Front, repository: str, tags: Iterable[str]) -> bytes:
    """Push one image under many tags."""
    data = push_image(front, repository, str(digest_of(encode(image()))))
    for tag in tags:
        front.push_manifest(repository, tag, data)
    return data
