"""Small images made here: no base image, no download, other bytes in every call.

`write_layout` makes an OCI image layout: an index of two platforms, each image with two layers of random bytes.

    index "v1" ─┬─ linux/amd64 ── config, layer, layer
                └─ linux/arm64 ── config, layer, layer
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
ARCHITECTURES = ("amd64", "arm64")
REF_NAME = "org.opencontainers.image.ref.name"
TAG = "v1"

Json = dict[str, object]


@dataclass(frozen=True, slots=True)
class Layout:
    """A folder in the form of the OCI image layout; digests as `sha256:…`."""

    path: Path
    index: str
    images: Mapping[str, str]
    """Digest of each platform's image manifest by architecture."""

    def blob(self, digest: str) -> bytes:
        """Return the bytes of one blob or manifest."""
        return _blob_path(self.path, digest).read_bytes()

    def root(self) -> str:
        """Return the digest of what index.json lists as tag `v1`, or of the one thing that it lists."""
        entries = json.loads((self.path / "index.json").read_bytes())["manifests"]
        tagged = [entry for entry in entries if entry.get("annotations", {}).get(REF_NAME) == TAG]
        (entry,) = tagged or entries
        return str(entry["digest"])


def write_layout(path: Path) -> Layout:
    """Make a layout whose index.json lists one image index, tagged `v1`."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    images = {architecture: _add_image(path, architecture) for architecture in ARCHITECTURES}
    children = [
        entry | {"platform": {"os": "linux", "architecture": architecture}} for architecture, entry in images.items()
    ]
    index = _add(path, INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": children})
    _finish(path, index)
    return Layout(path, str(index["digest"]), {name: str(entry["digest"]) for name, entry in images.items()})


def write_single_layout(path: Path) -> Layout:
    """Make a layout whose index.json lists one image (linux/amd64), tagged `v1`; `index` is that image's digest."""
    (path / "blobs" / "sha256").mkdir(parents=True)
    image = _add_image(path, "amd64")
    _finish(path, image)
    return Layout(path, str(image["digest"]), {"amd64": str(image["digest"])})


def open_layout(path: Path) -> Layout:
    """Read back a layout that a client has written."""
    return Layout(path, Layout(path, "", {}).root(), {})


def layer_archive(size: int = 20_000) -> bytes:
    """Return a tar archive with one file of random bytes."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        content = os.urandom(size)
        entry = tarfile.TarInfo("data/random")
        entry.size = len(content)
        tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def chart_archive() -> bytes:
    """Return a packaged helm chart, `demo` at version 1.0.0."""
    files = {
        "Chart.yaml": b"apiVersion: v2\nname: demo\nversion: 1.0.0\n",
        "values.yaml": b"seed: " + os.urandom(8).hex().encode(),
    }
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"demo/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


def _add_image(path: Path, architecture: str) -> Json:
    archives = [layer_archive(), layer_archive()]
    layers = [_add(path, LAYER, gzip.compress(archive, mtime=0)) for archive in archives]
    diff_ids = [digest_of(archive) for archive in archives]
    config = _add(
        path,
        CONFIG,
        {"os": "linux", "architecture": architecture, "config": {}, "rootfs": {"type": "layers", "diff_ids": diff_ids}},
    )
    return _add(path, MANIFEST, {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers})


def _add(path: Path, media_type: str, content: bytes | Json) -> Json:
    """Write a blob and return its descriptor."""
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    digest = digest_of(data)
    _blob_path(path, digest).write_bytes(data)
    return {"mediaType": media_type, "digest": digest, "size": len(data)}


def _finish(path: Path, descriptor: Json) -> None:
    entry = descriptor | {"annotations": {REF_NAME: TAG}}
    document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
    (path / "index.json").write_text(json.dumps(document))
    (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')


def _blob_path(path: Path, digest: str) -> Path:
    return path / "blobs" / "sha256" / digest.removeprefix("sha256:")


def digest_of(data: bytes) -> str:
    """Return the SHA-256 digest of bytes, as `sha256:…`."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
