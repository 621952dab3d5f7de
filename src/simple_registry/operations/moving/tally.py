"""What was moved so far, and what could not be, for progress and reports."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from simple_registry.content import Content, Span
from simple_registry.oci.digests import Digest, new_hasher
from simple_registry.oci.errors import RegistryError, Several
from simple_registry.storage.sources import BytesDiffer, SourceDefect

WORKERS = 4
"""Files that are moved at the same time: they mostly wait for the disk."""

_Item = TypeVar("_Item")


@dataclass(slots=True)
class Tally:
    """Counts of what was moved. `present` is what was there already; `uploads` are unfinished ones, left behind.

    `found` is called with each defect.
    """

    found: Callable[[SourceDefect], None]
    repositories: int = 0
    tags: int = 0
    manifests: int = 0
    blobs: int = 0
    bytes: int = 0
    present: int = 0
    uploads: int = 0
    defects: int = field(default=0, init=False)

    def count_blob(self, size: int | None) -> None:
        """Count a blob of so many bytes that was moved; `None` for one that was there already."""
        if size is None:
            self.present += 1
        else:
            self.blobs += 1
            self.bytes += size

    def count_manifest(self, *, changed: bool, tags: int) -> None:
        """Count a manifest that was moved, or whose tags were; unchanged, it was there already."""
        if changed:
            self.manifests += 1
            self.tags += tags
        else:
            self.present += 1

    def defect(self, path: str, reason: str) -> None:
        """Count and report something that could not be moved."""
        self.defects += 1
        self.found(SourceDefect(path, reason))


async def in_parallel(items: Iterable[_Item], act: Callable[[_Item], Awaitable[object]]) -> None:
    """Act on each item, on `WORKERS` at the same time. The first error ends all of it."""
    shared = iter(items)

    async def work() -> None:
        for item in shared:
            await act(item)

    tasks = [asyncio.create_task(work()) for _ in range(WORKERS)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def verified(content: Content, digest: Digest, where: str) -> AsyncIterator[bytes]:
    """Yield the bytes of content.

    Raises: BytesDiffer at the end, when they are not those of the digest; and what reading raises.
    """
    hasher = new_hasher(digest.algorithm)
    async for data in content.stream(Span(0, content.size)):
        hasher.update(data)
        yield data
    actual = Digest(digest.algorithm, hasher.hexdigest())
    if actual != digest:
        raise BytesDiffer(where, actual)


def said(error: RegistryError) -> str:
    """Return what a refusal says, with its facts."""
    if isinstance(error, Several):
        return "; ".join(map(said, error.errors))
    facts = ", ".join(f"{name} {fact}" for name, fact in error.facts.items())
    return f"{error.message} ({facts})" if facts else error.message
