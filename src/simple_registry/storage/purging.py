"""The protocols by which `purge` removes one content at once, with what could bring it back.

rows    holdings, tags and what the journal says of it, in one transaction
copies  what a data directory has of it besides: the quarantine, snapshots of the database

The caller holds the locks of the collector, `GarbageRows.collecting` and `GarbageRows.removing`.
"""

from dataclasses import dataclass
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.protocols.collection import GarbageRows
from simple_registry.storage.protocols.content import ContentStore
from simple_registry.storage.records import Actor


@dataclass(frozen=True, slots=True)
class PurgedFrom:
    """A repository that holds the content no more, the tags that went with it, and its deletions that are final now."""

    repository: RepositoryName
    tags: tuple[Tag, ...] = ()
    final: tuple[Digest, ...] = ()
    """Deleted manifests that refer to the content: they cannot be restored without it."""


@dataclass(frozen=True, slots=True)
class RowsPurged:
    """The repositories that held the content or had it in their journal, and those that hold it still."""

    purged: tuple[PurgedFrom, ...]
    holders: tuple[RepositoryName, ...]


@dataclass(frozen=True, slots=True)
class NeededBy:
    """A manifest that is not deleted and refers to the content: nothing was changed."""

    repository: RepositoryName
    manifest: Digest


@dataclass(frozen=True, slots=True)
class SnapshotsReplaced:
    """The snapshots that knew the content and were removed, and those that could not be: their paths."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class PurgeRows(Protocol):
    """The rows of one content, and their removal."""

    async def purge(
        self, digest: Digest, repository: RepositoryName | None, *, force: bool, actor: Actor
    ) -> RowsPurged | NeededBy:
        """End the holdings of content in a repository, or in all, at once, and remove its digest from their journal.

        Content that no repository holds any more is condemned. Unless `force`, what a manifest needs is not purged.
        """


class PurgeCopies(Protocol):
    """Copies of content and of rows beside those in use. Waits for the disk. Paths are below the data directory."""

    async def remove_quarantined(self, digest: Digest) -> tuple[str, ...]:
        """Remove what the quarantine has under the name of this content. Return the paths."""

    async def replace_snapshots(self, digest: Digest) -> SnapshotsReplaced:
        """Replace snapshots of the database that have rows of this content by a new one."""


@dataclass(frozen=True, slots=True)
class Purging:
    """The stores that `purge` changes."""

    rows: PurgeRows
    garbage: GarbageRows
    content: ContentStore
    copies: PurgeCopies
