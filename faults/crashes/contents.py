"""Blobs and documents of a workload, derived from a seed and a number, so that none are stored.

    Content(7, 1).data()      the same bytes each time
    image(config, layers)     a manifest over them, as a Document

No I/O.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random

IMAGE = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
ARTIFACT = "application/vnd.example.signature"
SIZES = ((70, 10, 4_000), (26, 4_000, 40_000), (4, 270_000, 600_000))
"""How often, and between which sizes: small ones, and some that servers take in several pieces."""


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


@dataclass(frozen=True)
class Content:
    """The bytes of a blob."""

    seed: int
    number: int

    @cached_property
    def size(self) -> int:
        return len(self.data())

    @cached_property
    def digest(self) -> str:
        return digest_of(self.data())

    def data(self) -> bytes:
        random = Random(f"{self.seed}/{self.number}")
        (_, least, most), *_ = random.choices(SIZES, [often for often, *_ in SIZES])
        return random.randbytes(random.randint(least, most))

    def descriptor(self, media_type: str) -> dict[str, object]:
        return {"mediaType": media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest: its bytes, and the digests that it needs to be of use."""

    data: bytes
    media_type: str
    digest: str
    parts: Sequence[str] = ()
    """Its config and layers."""
    children: Sequence[str] = ()
    """The manifests of an index."""
    subject: str | None = None

    def descriptor(self) -> dict[str, object]:
        return {"mediaType": self.media_type, "digest": self.digest, "size": len(self.data)}


def image(config: Content, layers: Sequence[Content], note: str, subject: Document | None = None) -> Document:
    """Return an image; with a subject, an artifact that refers to it."""
    fields: dict[str, object] = {
        "schemaVersion": 2,
        "mediaType": IMAGE,
        "config": config.descriptor(CONFIG),
        "layers": [layer.descriptor(LAYER) for layer in layers],
        "annotations": {"note": note},
    }
    if subject is not None:
        fields |= {"artifactType": ARTIFACT, "subject": subject.descriptor()}
    data = json.dumps(fields).encode()
    parts = [blob.digest for blob in (config, *layers)]
    return Document(data, IMAGE, digest_of(data), parts, subject=subject.digest if subject else None)


def index(children: Sequence[Document], note: str) -> Document:
    """Return an index of manifests."""
    fields = {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [child.descriptor() for child in children],
        "annotations": {"note": note},
    }
    data = json.dumps(fields).encode()
    return Document(data, INDEX, digest_of(data), children=[child.digest for child in children])


def parts_of(data: bytes) -> tuple[list[str], list[str]]:
    """Return the digests of blobs and of manifests that a manifest needs, read from its bytes."""
    fields = json.loads(data)
    config = [fields["config"]] if "config" in fields else []
    blobs = [each["digest"] for each in (*config, *fields.get("layers", ()))]
    return blobs, [each["digest"] for each in fields.get("manifests", ())]
