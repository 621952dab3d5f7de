"""The stores of one backend: rows, content, and upload sessions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from simple_registry.bounded_cache import CacheCounts
from simple_registry.storage.protocols.content import ContentStore, UploadStore
from simple_registry.storage.protocols.rows import Rows


class DatabaseCounts(CacheCounts, Protocol):
    """Counts of a database in this process, and of its cache of rows."""

    commit_sizes: Sequence[int]
    """The number of commits by their number of changes, from 0."""


class DiskSpace(NamedTuple):
    """Free bytes, and all bytes, of the file system with the data."""

    free: int
    size: int


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one backend, and its metrics, if it has any."""

    rows: Rows
    content: ContentStore
    uploads: UploadStore
    database: DatabaseCounts | None = None
    disk_space: Callable[[], DiskSpace] | None = None
