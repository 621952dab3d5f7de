"""The stores of one backend, which come together: rows, content, and upload sessions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from simple_registry.storage.protocols import ContentStore, Rows, UploadStore


class DatabaseCounts(Protocol):
    """What a database counts in this process."""

    @property
    def hits(self) -> int:
        """Reads that the cache of rows answered."""
        ...

    @property
    def misses(self) -> int:
        """Reads that it did not."""
        ...

    @property
    def commit_sizes(self) -> Sequence[int]:
        """The number of commits by their number of changes: the first is of commits without one."""
        ...


class DiskSpace(NamedTuple):
    """Bytes that are free for us, and all bytes, of the file system that holds the data."""

    free: int
    size: int


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one backend, and what it reports of itself, where there is anything to report."""

    rows: Rows
    content: ContentStore
    uploads: UploadStore
    database: DatabaseCounts | None = None
    disk_space: Callable[[], DiskSpace] | None = None
