"""Shared by the tests of moving: layouts in memory, and what a run said."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from simple_registry.clock import SystemClock
from simple_registry.content import ByteStream, Content, InMemory
from simple_registry.oci.digests import Digest, digest_of
from simple_registry.oci.layouts import INDEX, blob_path
from simple_registry.operations.manifests import Manifests, Required
from simple_registry.operations.moving.intake import Intake
from simple_registry.operations.moving.tally import Tally
from simple_registry.operations.quotas import Quotas
from simple_registry.operations.renewals import Renewals
from simple_registry.storage.sources import SourceDefect
from support.actors import ACTOR
from support.front import Front
from support.streams import stream_of


@dataclass
class Files:
    """A layout in memory: one to read, in any order or as a pipe, and one that was written."""

    files: dict[str, bytes] = field(default_factory=dict)
    index_first: bool = False
    opened: list[Digest] = field(default_factory=list)

    def blob(self, data: bytes) -> None:
        self.files[blob_path(digest_of(data))] = data

    async def index(self) -> bytes:
        return self.files[INDEX]

    async def open(self, digest: Digest) -> Content | None:
        self.opened.append(digest)
        data = self.files.get(blob_path(digest))
        return None if data is None else InMemory(data)

    async def entries(self) -> AsyncIterator[tuple[str, int, ByteStream]]:
        for path, data in self.files.items():
            yield path, len(data), stream_of(data)

    async def has(self, path: str, size: int) -> bool:
        return len(self.files.get(path, b"")) == size

    async def add(self, path: str, size: int, stream: ByteStream) -> None:
        data = b"".join([piece async for piece in stream])
        assert len(data) == size
        self.files[path] = data


@pytest.fixture
def tally() -> Tally:
    """A tally; `tally.found` is a list of the defects."""
    found: list[SourceDefect] = []
    return Tally(found.append)


def defects(tally: Tally) -> dict[str, str]:
    """Return the defects of a tally by path."""
    return {defect.path: defect.reason for defect in tally.found.__self__}  # type: ignore[attr-defined]


def intake_of(front: Front, required: Required | None = Required()) -> Intake:  # noqa: B008 (a frozen value)
    """Return what takes content into the stores of a front."""
    registry, rows = front.services.registry, front.kept.stores.rows
    manifests = Manifests(
        rows.manifests,
        rows.tags,
        registry.contents,
        Renewals(SystemClock()),
        required,
        quotas=Quotas(rows.usage, front.clock),
        keep_parts=True,
    )
    return Intake(registry.blobs, registry.uploads, manifests, manifest_size=4 * 1024 * 1024, actor=ACTOR)
