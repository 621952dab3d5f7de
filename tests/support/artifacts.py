"""Images and artifacts with contents that pages show."""

from typing import Any

from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from support.documents import CONFIG_TYPE, EMPTY_TYPE, LAYER_TYPE, descriptor, encode, image, index
from support.front import Front

CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "arm64",
    "created": "2026-01-02T03:04:05.123Z",
    "author": "ada",
    "config": {
        "Entrypoint": ["/bin/app"],
        "Cmd": ["serve"],
        "Env": ["PATH=/bin", "MODE=fast"],
        "Labels": {"team": "blue"},
        "User": "1000",
        "WorkingDir": "/srv",
        "ExposedPorts": {"8080/tcp": {}},
        "Volumes": {"/data": {}},
        "StopSignal": "SIGINT",
    },
    "history": [
        {"created_by": "ADD rootfs.tar /"},
        {"created_by": "ENV MODE=fast", "empty_layer": True},
        {"created_by": "RUN make install", "comment": "buildkit"},
    ],
}


def push_built(
    front: Front, repository: str, reference: str, *layers: bytes, config: object = CONFIG, **further: Any
) -> Digest:
    """Push an image that has a config, and return its digest."""
    data = encode(config)
    document = image(*layers, **further) | {"config": descriptor(data, CONFIG_TYPE)}
    for blob in (data, *layers):
        front.push_blob(repository, blob)
    front.push_manifest(repository, reference, encode(document))
    return digest_of(encode(document))


def child(front: Front, repository: str, digest: Digest) -> dict[str, Any]:
    """Return the descriptor of a manifest that was pushed."""
    size = front.head(f"/v2/{repository}/manifests/{digest}").header("content-length")
    return {"mediaType": OCI_IMAGE_MANIFEST, "digest": str(digest), "size": int(size or 0)}


def push_index(front: Front, repository: str, reference: str, **platforms: Digest) -> Digest:
    """Push an index of images by the architectures that they are for."""
    children = [
        {**child(front, repository, digest), "platform": {"os": "linux", "architecture": architecture}}
        for architecture, digest in platforms.items()
    ]
    data = encode(index() | {"manifests": children})
    front.push_manifest(repository, reference, data, OCI_IMAGE_INDEX)
    return digest_of(data)


def push_artifact(
    front: Front,
    repository: str,
    reference: str | None,
    content: bytes,
    *,
    content_type: str = LAYER_TYPE,
    artifact_type: str | None = None,
    subject: Digest | None = None,
    **further: Any,
) -> Digest:
    """Push an artifact with one content, perhaps about another manifest, by its digest if it gets no tag."""
    document = image(artifactType=artifact_type, **further)
    front.push_blob(repository, b"{}")
    front.push_blob(repository, content)
    document["config"] = descriptor(b"{}", EMPTY_TYPE)
    document["layers"] = [descriptor(content, content_type)]
    if subject is not None:
        document["subject"] = child(front, repository, subject)
    data = encode(document)
    front.push_manifest(repository, reference or str(digest_of(data)), data)
    return digest_of(data)
