"""Small stores of other registries, as their programs write them, and the image in them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.layouts import MARKER_TEXT, REF_NAME
from simple_registry.oci.media_types import OCI_IMAGE_INDEX, OCI_IMAGE_MANIFEST
from support.documents import CONFIG, descriptor, encode, image, index

LAYER = b"a layer"
IMAGE = encode(image(LAYER))
INDEX = encode(index(IMAGE))
SIGNATURE = encode(image(subject=descriptor(INDEX, OCI_IMAGE_INDEX), artifactType="application/x"))
CONTENT = (CONFIG, LAYER, IMAGE, INDEX, SIGNATURE)


@dataclass(frozen=True)
class Links:
    """A store of docker-registry, or, without `data`, of the Go Simple Registry."""

    base: Path
    data: str = "data"

    def blob(self, content: bytes) -> Path:
        digest = digest_of(content)
        path = self.base / "blobs" / "sha256" / digest.encoded[:2] / digest.encoded / self.data
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def link(self, place: str, digest: Digest, text: str | None = None) -> Path:
        path = self.base / "repositories" / place / "link"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(digest) if text is None else text)
        return path

    def layer(self, repository: str, content: bytes) -> Path:
        digest = digest_of(content)
        self.blob(content)
        return self.link(f"{repository}/_layers/sha256/{digest.encoded}", digest)

    def manifest(self, repository: str, content: bytes, *tags: str) -> Path:
        digest = digest_of(content)
        self.blob(content)
        for tag in tags:
            self.link(f"{repository}/_manifests/tags/{tag}/current", digest)
        return self.link(f"{repository}/_manifests/revisions/sha256/{digest.encoded}", digest)

    def image(self, repository: str, tag: str = "v1") -> None:
        """Add the image: an index with a child, and a signature of it."""
        self.layer(repository, CONFIG)
        self.layer(repository, LAYER)
        self.manifest(repository, IMAGE)
        self.manifest(repository, INDEX, tag)
        self.manifest(repository, SIGNATURE)


def distribution(root: Path) -> Links:
    """Return an empty store of docker-registry below `root`."""
    base = root / "docker" / "registry" / "v2"
    (base / "repositories").mkdir(parents=True)
    return Links(base)


def simple_registry(root: Path) -> Links:
    """Return an empty store of the Go Simple Registry below `root`."""
    (root / "repositories").mkdir(parents=True)
    (root / "blobs").mkdir()
    return Links(root, "")


@dataclass(frozen=True)
class Layout:
    """An OCI layout that is being made."""

    root: Path
    entries: list[dict[str, object]] = field(default_factory=list)

    def blob(self, content: bytes) -> Path:
        path = self.root / "blobs" / "sha256" / digest_of(content).encoded
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def entry(self, content: bytes, media_type: str, name: str | None = None) -> None:
        annotations = {} if name is None else {"annotations": {REF_NAME: name}}
        self.entries.append(descriptor(content, media_type, **annotations))
        self.finish()

    def finish(self) -> None:
        (self.root / "oci-layout").write_bytes(MARKER_TEXT)
        (self.root / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))

    def image(self, name: str = "v1", *, referrer: str | None = None) -> "Layout":
        """Add the image, and its signature without a name."""
        for content in CONTENT:
            self.blob(content)
        self.entry(INDEX, OCI_IMAGE_INDEX, name)
        self.entry(SIGNATURE, OCI_IMAGE_MANIFEST, referrer)
        return self


def layout(root: Path) -> Layout:
    """Return an empty layout in the new directory `root`."""
    root.mkdir(parents=True)
    return Layout(root)
