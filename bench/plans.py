"""Plans for `replay.lua`: the requests of clients that push blobs in each way, mount them, or push whole images."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
OCTETS = "application/octet-stream"
EMPTY = "application/vnd.oci.empty.v1+json"


class Way(StrEnum):
    """The ways to push a blob (distribution-spec 1.1, "Pushing blobs")."""

    PUT = "POST, PUT"
    PATCH = "POST, PATCH, PUT"
    SINGLE = "one POST"
    CHUNKS = "POST, 2 PATCHes, PUT"


@dataclass(frozen=True, slots=True)
class Step:
    """One request; `replay.lua` describes `path` and `text`."""

    method: str
    path: str
    status: int
    ends: bool = False
    kind: str = ""
    content_range: str = ""
    size: int = 0
    text: str = ""

    def line(self) -> str:
        request = (self.method, self.path, self.status, int(self.ends))
        fields = (*request, self.kind, self.content_range, self.size, self.text)
        return "\t".join(map(str, fields)) + "\n"


def filled(text: str, size: int) -> bytes:
    """Return the content of a step with this text and size."""
    return text.encode().ljust(size, b"x")


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def blob_push(repository: str, text: str, size: int, way: Way, *, ends: bool = True) -> Iterator[Step]:
    """Push the content `filled(text, size)`."""
    digest = digest_of(filled(text, size))
    uploads = f"/v2/{repository}/blobs/uploads/"
    if way is Way.SINGLE:
        yield Step("POST", f"{uploads}?digest={digest}", 201, ends, OCTETS, "", size, text)
        return
    yield Step("POST", uploads, 202)
    if way is Way.PUT:
        yield Step("PUT", f"@digest={digest}", 201, ends, OCTETS, "", size, text)
        return
    half = size // 2 if way is Way.CHUNKS else size
    parts = [(0, half, text), (half, size, "")][: 2 if half < size else 1]
    for start, stop, beginning in parts:
        span = f"{start}-{stop - 1}" if way is Way.CHUNKS else ""
        yield Step("PATCH", "@", 202, False, OCTETS, span, stop - start, beginning)
    yield Step("PUT", f"@digest={digest}", 201, ends, OCTETS)


def mount(repository: str, digest: str, source: str, *, ends: bool = True) -> Step:
    """Mount a blob from another repository."""
    return Step("POST", f"/v2/{repository}/blobs/uploads/?mount={digest}&from={source}", 201, ends)


def manifest(config: tuple[str, int], layers: Sequence[tuple[str, int]], **more: object) -> str:
    """Return an image manifest; blobs are pairs of digest and size."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "digest": config[0], "size": config[1]},
        "layers": [{"mediaType": LAYER, "digest": digest, "size": size} for digest, size in layers],
        **more,
    }
    return json.dumps(document, separators=(",", ":"))


def manifest_push(repository: str, reference: str, document: str, *, ends: bool = True) -> Step:
    """Push a manifest under a tag or its digest."""
    return Step("PUT", f"/v2/{repository}/manifests/{reference}", 201, ends, MANIFEST, text=document)


def image_push(repository: str, name: str, sizes: Sequence[int]) -> Iterator[Step]:
    """Push a new image as clients do: layers of these sizes, a config, a manifest."""
    blobs = []
    for number, size in enumerate((*sizes, 512)):
        text = f"{name}-{number}-"
        digest = digest_of(filled(text, size))
        yield Step("GET", f"/v2/{repository}/blobs/{digest}", 404)  # clients send HEAD, which wrk cannot
        yield from blob_push(repository, text, size, Way.PATCH, ends=False)
        blobs.append((digest, size))
    yield manifest_push(repository, name, manifest(blobs[-1], blobs[:-1]))


def write(plans: Path, threads: int, steps: Callable[[int], Iterator[Step]]) -> None:
    """Write `steps(thread)` of each thread to `plans.<thread>`."""
    for thread in range(threads):
        with Path(f"{plans}.{thread}").open("w") as lines:
            lines.writelines(step.line() for step in steps(thread))
