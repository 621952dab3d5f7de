"""Loads the same data into every subject: by the same pushes over HTTP, or as files for nginx."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import generators, plans
from bench.plans import Step
from bench.subjects import Target

KIB, MIB = 1024, 1024 * 1024
LAYER = 64 * MIB
"""The layer size of a typical base image."""
THREADS = 4
BATCH = 50
IMAGE, TAGS, REFERRERS = "bench/image", "bench/tags", "bench/referrers"
TAG = "v1"


@dataclass(frozen=True, slots=True)
class Size:
    """The amount of data."""

    tags: int
    repositories: int
    referrers: int
    large: int
    """Bytes of the largest blob."""
    tags_each: int = 1
    """Tags of each repository of the catalog, if a push can have several tags; otherwise 1. 0: only a blob."""


QUICK = Size(tags=1000, repositories=1000, referrers=100, large=256 * MIB, tags_each=10)
FULL = Size(tags=10_000, repositories=10_000, referrers=1000, large=256 * MIB, tags_each=10)


@dataclass(frozen=True, slots=True)
class Data:
    """The data to load; `blobs` by their names in workloads."""

    size: Size
    blobs: dict[str, bytes]
    manifest: str

    def digest(self, blob: str) -> str:
        return plans.digest_of(self.blobs[blob])

    @property
    def manifest_digest(self) -> str:
        return plans.digest_of(self.manifest.encode())

    @property
    def small_manifest(self) -> str:
        """The manifest under the tags of long lists, and the subject of all referrers."""
        return plans.manifest((self.digest("1 KiB"), KIB), [])

    def blob_path(self, blob: str) -> str:
        return f"/v2/{IMAGE}/blobs/{self.digest(blob)}"


def make(size: Size) -> Data:
    """Make the data, the same in every run."""
    source = random.Random(6)
    sizes = {"1 KiB": KIB, "1 MiB": MIB, "64 MiB": LAYER, "large": size.large}
    # In pieces: one call makes less than 256 MiB.
    blobs = {
        name: b"".join(source.randbytes(min(MIB, length)) for _ in range(max(1, length // MIB)))
        for name, length in sizes.items()
    }
    described = {name: (plans.digest_of(content), len(content)) for name, content in blobs.items()}
    return Data(size, blobs, plans.manifest(described["1 KiB"], [described["1 MiB"]]))


def load(target: Target, data: Data, folder: Path) -> None:
    """Load the data into a subject."""
    if target.entrant.files:
        _write_files(target.running.data, data)
        return
    with target.connect() as client:
        for content in data.blobs.values():
            client.push(IMAGE, content, plans.digest_of(content), plans.Way.PATCH)
        client.request("PUT", f"/v2/{IMAGE}/manifests/{TAG}", data.manifest, 201, Content_Type=plans.MANIFEST)
        config, small = data.digest("1 KiB"), data.small_manifest
        for name in (TAGS, REFERRERS):
            client.request("POST", f"/v2/{name}/blobs/uploads/?mount={config}&from={IMAGE}", b"", 201)
            client.request("PUT", f"/v2/{name}/manifests/{TAG}", small, 201, Content_Type=plans.MANIFEST)
    plans.write(folder / "load", THREADS, lambda thread: _lists(target, data, thread))
    play(target, folder / "load", THREADS)


def _lists(target: Target, data: Data, thread: int) -> Iterator[Step]:
    """Yield one thread's share of the pushes of tags, repositories and referrers."""
    config, small = data.digest("1 KiB"), data.small_manifest
    at_once = BATCH if target.entrant.tags_at_once else 1
    for first in range(thread * at_once, data.size.tags, THREADS * at_once):
        names = [tag(number) for number in range(first, min(first + at_once, data.size.tags))]
        yield _tagged(TAGS, names, small)
    for number in range(thread, data.size.repositories, THREADS):
        yield plans.mount(repository(number), config, IMAGE)
        if data.size.tags_each:
            names = [tag(other) for other in range(data.size.tags_each)] if at_once > 1 else [tag(0)]
            yield _tagged(repository(number), names, small)
    subject = {"mediaType": plans.MANIFEST, "digest": plans.digest_of(small.encode()), "size": len(small)}
    for number in range(thread, data.size.referrers, THREADS):
        annotations = {"org.example.number": str(number)}
        document = plans.manifest((config, KIB), [], subject=subject, annotations=annotations)
        yield plans.manifest_push(REFERRERS, plans.digest_of(document.encode()), document)


def _tagged(repository: str, tags: Sequence[str], document: str) -> Step:
    """Push a manifest under one tag or several."""
    if len(tags) == 1:
        return plans.manifest_push(repository, tags[0], document)
    query = "&".join(f"tag={tag}" for tag in tags)
    return plans.manifest_push(repository, f"{plans.digest_of(document.encode())}?{query}", document)


def tag(number: int) -> str:
    return f"t{number:06}"


def repository(number: int) -> str:
    return f"catalog/r{number:06}"


def play(target: Target, written: Path, threads: int) -> None:
    """Play plans from `plans.write`."""
    authorization = target.entrant.authorization
    generators.play(target.address, written, threads, seconds=900, authorization=authorization)


def _write_files(root: Path, data: Data) -> None:
    for content in data.blobs.values():
        _write(root / f"v2/{IMAGE}/blobs" / plans.digest_of(content), content)
    for reference in (TAG, data.manifest_digest):
        _write(root / f"v2/{IMAGE}/manifests" / reference, data.manifest.encode())


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
