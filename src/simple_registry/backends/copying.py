"""Copying the content of some rows from one data directory to another, or to an archive; each piece is verified."""

import time
from dataclasses import dataclass, field
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.content_source import ContentSource
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.inspection import ContentUnreadable, Uses
from simple_registry.storage.records import ContentRecord
from simple_registry.storage.sqlite.copied_rows import CopiedRows

SMALL_FILES = ("signing-keys.json", "admin.hash", "first-start-over")
"""What a data directory holds besides rows and content, and a restored one needs."""

MAX_LISTED = 20
"""Repositories, and tags, that are named for each damaged content."""

RETRIES, RETRY_INTERVAL = 20, 0.1
"""How often, and after how many seconds, content that is missing is looked for again: a push may be replacing it."""

_MAX_SMALL = 1024 * 1024


class Watch(Protocol):
    """Follows a copy."""

    def begin(self, contents: int, size: int) -> None:
        """Learn how many contents and bytes there are in all."""

    def read(self, size: int) -> None:
        """Count bytes that were read."""

    def done(self) -> None:
        """Count one content."""


class Target(Protocol):
    """What is written: a directory or an archive."""

    def write_file(self, path: str, data: bytes) -> None:
        """Write a small file, readable by its owner only."""

    def link_content(self, record: ContentRecord) -> bool:
        """Take content from the previous copy. Return whether that has it."""

    def write_content(self, record: ContentRecord, reader: CheckedReader) -> str | None:
        """Write content. Return what is wrong with it, if anything."""

    def finish(self) -> None:
        """Make everything durable, then mark the copy as complete."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """Content that could not be copied whole, and what uses it."""

    digest: Digest
    reason: str
    uses: Uses


@dataclass(slots=True)
class Copied:
    """The numbers of contents and bytes, how many were taken from the previous copy, and what is damaged."""

    contents: int = 0
    size: int = 0
    linked: int = 0
    damaged: list[Damaged] = field(default_factory=list)


def copy_content(database: str, source: Layout, target: Target, watch: Watch, *, retries: int = 0) -> Copied:
    """Copy the content of the rows of a copied database from the directory `source`.

    Raises: StorageFault.
    """
    copied, contents = Copied(), ContentSource(source, Disk(), watch.read)
    with CopiedRows(database) as rows:
        watch.begin(*rows.totals())
        for record in rows.contents():
            if target.link_content(record):
                copied.linked += 1
                watch.read(record.size)
            elif reason := _copy(record, contents, target, retries):
                copied.damaged.append(Damaged(record.digest, reason, rows.uses(record.digest, MAX_LISTED)))
            copied.contents += 1
            copied.size += record.size
            watch.done()
    return copied


def _copy(record: ContentRecord, source: ContentSource, target: Target, retries: int) -> str | None:
    """Copy one content. Return what is wrong with it, if anything."""
    for attempt in range(retries + 1):
        if attempt:
            time.sleep(RETRY_INTERVAL)
        try:
            with source.open(record) as reader:
                if reader is not None:
                    return target.write_content(record, reader)
        except ContentUnreadable as error:
            return str(error)
    return "it is missing"


def copy_small_files(source: Layout, target: Target) -> None:
    """Copy the small files of a data directory.

    Raises: StorageFault.
    """
    disk = Disk()
    for name in SMALL_FILES:
        fd = disk.open_read(f"{source.root}/{name}")
        if fd is not None:
            try:
                target.write_file(name, disk.read(fd, _MAX_SMALL, 0))
            finally:
                disk.close(fd)
