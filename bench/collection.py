"""What a collection costs: it follows what changed, not what is stored.

    python -m bench.collection [--write]       (make bench-collection)

Makes data directories of 100,000 and of 1,000,000 blobs, ten to an image, by rows alone: no request pushed them, and
only what is to be removed has a file. In each round some images are deleted by the rows' own operation, their grace is
passed by moving their time back, and then a collection is measured, in this process.
"""

import argparse
import asyncio
import platform
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import apsw

from bench.results import Figure, Sample, figure
from bench.tables import duration, table
from harness.result_pages import publish
from harness.subjects import our_blob
from simple_registry.backends import local
from simple_registry.clock import SystemClock
from simple_registry.config.settings import Settings
from simple_registry.oci.digests import parse_digest
from simple_registry.oci.names import RepositoryName
from simple_registry.operations.collection import Swept
from simple_registry.services import build_collection
from simple_registry.storage.records import Actor, ManifestRemoved, ReviewRules
from simple_registry.storage.stores import Stores

BLOBS_OF_IMAGE = 10
IMAGES_OF_REPOSITORY = 1000
SIZE = 1000
"""Bytes of a file, of those that are removed; the rows of all others say so, too."""
ROUNDS = 5
MEASURED = ((100_000, 0), (100_000, 1000), (1_000_000, 0), (1_000_000, 1000), (1_000_000, 10_000))
"""Blobs that are stored, and blobs of the images that are deleted in each round."""

_CONTENT = "INSERT INTO contents (digest, size, verified) VALUES (?, ?, unixepoch())"
_REPOSITORY = "INSERT INTO repositories (name) VALUES (?)"
_BLOB = "INSERT INTO repository_blobs (repository, digest) VALUES (?, ?)"
_MANIFEST = """
INSERT INTO manifests (repository, digest, media_type, annotations, pushed)
VALUES (?, ?, 'application/vnd.oci.image.manifest.v1+json', '{}', unixepoch())
"""
_CHILD = "INSERT INTO manifest_children (repository, digest, position, child) VALUES (?, ?, ?, ?)"
_TAG = "INSERT INTO tags (repository, tag, digest, pushed) VALUES (?, ?, ?, unixepoch())"
_AGE = (
    "UPDATE repository_blobs SET since = 0 WHERE state <> 'needed'",
    "UPDATE manifests SET since = 0 WHERE state <> 'needed'",
)


@dataclass(frozen=True, slots=True)
class Image:
    """An image of a made store."""

    number: int

    @property
    def repository(self) -> str:
        return f"team/r{self.number // IMAGES_OF_REPOSITORY:04}"

    @property
    def tag(self) -> str:
        return f"v{self.number}"

    @property
    def manifest(self) -> str:
        return _digest(f"manifest {self.number}")

    @property
    def blobs(self) -> Sequence[str]:
        return [_digest(f"blob {self.number}/{position}") for position in range(BLOBS_OF_IMAGE)]


def make(data: Path, images: Sequence[Image]) -> None:
    """Make a data directory with these images, by rows alone."""
    local.make(data)
    connection = _open(data)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -2000000")
    with connection:
        digests = sorted(digest for image in images for digest in (image.manifest, *image.blobs))
        connection.executemany(_CONTENT, ((digest, SIZE) for digest in digests))
        connection.executemany(_REPOSITORY, ((name,) for name in sorted({image.repository for image in images})))
        connection.executemany(_BLOB, ((image.repository, digest) for image in images for digest in image.blobs))
        connection.executemany(_MANIFEST, ((image.repository, image.manifest) for image in images))
        connection.executemany(
            _CHILD,
            (
                (image.repository, image.manifest, position, digest)
                for image in images
                for position, digest in enumerate(image.blobs)
            ),
        )
        connection.executemany(_TAG, ((image.repository, image.tag, image.manifest) for image in images))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


async def measure(data: Path, images: Sequence[Image]) -> tuple[Sample, Swept]:
    """Delete images, and collect them. Return the seconds, with those of the processor, and what was collected."""
    settings, clock = Settings(data_dir=data), SystemClock()
    async with local.stores_for_command(data) as stores:
        for image in images:
            await _delete(stores, image)
            for digest in (image.manifest, *image.blobs):
                path = our_blob(data, digest)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(bytes(SIZE))
        _pass_graces(data)
        collection, swept = build_collection(settings, stores, lambda: True), Swept()
        before = clock.now() - settings.garbage_collection.grace
        begun, used = time.monotonic(), time.process_time()
        await collection.run(before, ReviewRules(before, lambda _: False), swept)
        return Sample(time.monotonic() - begun, time.process_time() - used), swept


async def _delete(stores: Stores, image: Image) -> None:
    name, digest = RepositoryName(image.repository), parse_digest(image.manifest)
    tags = await stores.rows.tags.tags_of(name, digest)
    removed = await stores.rows.manifests.remove_manifest(name, digest, tags=tags, actor=Actor("bench"))
    assert isinstance(removed, ManifestRemoved)


def _pass_graces(data: Path) -> None:
    """Let everything that is not needed be old."""
    connection = _open(data)
    with connection:
        for statement in _AGE:
            connection.execute(statement)
    connection.close()


def rows_of(folder: Path) -> Iterator[list[str]]:
    """Measure all, and yield the rows of the table."""
    for stored in dict.fromkeys(stored for stored, _ in MEASURED):
        data = folder / str(stored)
        images = [Image(number) for number in range(stored // BLOBS_OF_IMAGE)]
        make(data, images)
        size = (data / "registry.db").stat().st_size
        random.Random(stored).shuffle(images)
        for changed in (changed for of, changed in MEASURED if of == stored):
            samples = []
            for _ in range(ROUNDS):
                gone = [images.pop() for _ in range(changed // BLOBS_OF_IMAGE)]
                sample, swept = asyncio.run(measure(data, gone))
                assert (swept.manifests, swept.blobs) == (len(gone), changed)
                samples.append(sample)
            ended = f"{changed + changed // BLOBS_OF_IMAGE:,}"
            yield [f"{stored:,}", f"{size / 2**20:,.0f} MiB", ended, *_cells(figure(samples), samples)]
        shutil.rmtree(data)


def _cells(found: Figure, samples: Sequence[Sample]) -> list[str]:
    used = [sample.cpu or 0.0 for sample in samples]
    cpu = f"{duration(found.cpu or 0.0)} ({duration(min(used))}–{duration(max(used))})"
    return [cpu, f"{duration(found.median)} ({duration(found.low)}–{duration(found.high)})"]


def _digest(text: str) -> str:
    return f"sha256:{sha256(text.encode()).hexdigest()}"


def _open(data: Path) -> apsw.Connection:
    connection = apsw.Connection(str(data / "registry.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(10_000)
    return connection


def main() -> int:
    """Measure and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/results/collection.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="collection-") as temporary:
        rows = list(rows_of(Path(temporary)))
    head = ["blobs stored", "database", "holdings ended, contents removed", "processor time", "time"]
    kernel = platform.release().split("-")[0]
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d}, Linux {kernel}: medians of {ROUNDS} rounds (lowest–highest)."
    text = f"{when}\n\n{table(head, rows)}"
    print(text)
    if options.write:
        publish("collection", "make bench-collection", text, explained_in="performance")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
