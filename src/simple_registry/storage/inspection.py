"""What `fsck` asks of stores: everything that they hold, to compare it, and the few changes that repair it.

    rows      each row of content, and the defects of rows by themselves
    contents  a listing of what a content store holds: digest, size, version
    tree      what only files on a disk have: modes, names that are not ours, a quarantine

The first comparison takes no lock, since a push or the collector may be at work: what it finds is a suspicion. It is
compared again while no collector is at work (`GarbageRows.collecting`): then the row of whole content guarantees its
bytes, and only a push can change them, in one step, which their `version` shows.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import ContentState
from simple_registry.storage.protocols import ContentStore, Rows, UploadStore
from simple_registry.storage.records import ContentRecord, ManifestRow, Place


class ContentUnreadable(StorageFault):
    """The bytes of this one content cannot be read, however often it is tried: a bad sector, or missing rights."""


# ---------------------------------------------------------------- content


class Flaw(StrEnum):
    """What is wrong with the way a store keeps content, apart from its bytes."""

    NOT_A_FILE = "not a file"
    UNREADABLE = "unreadable"
    WRITABLE = "writable"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store has under a digest. Two are equal when nothing replaced or changed it in between.

    `size` is in bytes; `changed`, in seconds since the epoch, is when it got its name, mode or bytes.
    """

    digest: Digest
    place: Place
    size: int
    changed: float
    version: Hashable
    flaw: Flaw | None = None


class ContentInspection(Protocol):
    """All that a content store holds."""

    def check(self) -> None:
        """Raise StorageFault unless content can be listed."""

    def path(self, digest: Digest) -> str:
        """Return where an operator finds content of this digest: a path below the data directory, or a name."""

    def session_path(self, session: str) -> str:
        """Return where an operator finds the bytes of an upload session."""

    async def listing(self, prefix: str) -> Sequence[Stored]:
        """Return what is stored under digests that begin with `algorithm:xx`, in order of digest."""

    async def find(self, digest: Digest, place: Place) -> Stored | None:
        """Return what is stored at one place."""

    async def hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        """Return the digest of the stored bytes, or `None` when something else is there by now, or nothing.

        The bytes come from the disk where that can be, and leave the caches of the kernel as they were. `read` gets the
        number of bytes just read, from a thread.

        Raises: ContentUnreadable; StorageFault for a failure that may have another cause.
        """

    async def keep(self, stored: Stored) -> bool:
        """Make what is stored durable, with its name. Returns whether it is still there."""


class TreeInspection(Protocol):
    """The files of a data directory as files."""

    async def strays(self) -> Sequence[tuple[str, float]]:
        """Return the paths with names that are not ours, in order, and when each was changed.

        What is below one is not returned. Paths are below the data directory, times in seconds since the epoch.
        """

    async def set_aside(self, path: str, name: str) -> str:
        """Move what is at a path to the quarantine, under `name` and a number, durably; return its path there.

        The caller knows that no acknowledged push gives this path to other bytes meanwhile.
        """

    async def clear_name(self, digest: Digest) -> str | None:
        """Move a directory that has the name of content to the quarantine; return its path there, if there was one."""

    async def set_mode(self, digest: Digest) -> None:
        """Give a file of content the mode of content."""


# ---------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class ContentRow:
    """A row of content."""

    record: ContentRecord
    state: ContentState


@dataclass(frozen=True, slots=True)
class Uses:
    """What is affected when content is damaged: repositories, and `repository:tag`s.

    `part` is whether a manifest of any repository refers to it, whether that repository holds it or not.
    """

    repositories: tuple[str, ...]
    tags: tuple[str, ...]
    part: bool


class Defect(StrEnum):
    """What can be wrong with rows by themselves; each says what its `RowDefect` names."""

    TAG_WITHOUT_MANIFEST = "tag without manifest"
    """A tag, and the digest it points at, which its repository does not hold as a manifest."""
    PART_MISSING = "part missing"
    """A manifest and a part of it that the repository does not hold; foreign layers are among them."""
    BLOB_WITHOUT_CONTENT = "blob without content"
    """A blob of a repository without a row of content."""
    MANIFEST_WITHOUT_CONTENT = "manifest without content"
    """A manifest of a repository without a row of content."""
    HOLDING_WITHOUT_REPOSITORY = "holding without repository"
    """A repository that holds content and has no row."""
    PARTS_WITHOUT_MANIFEST = "parts without manifest"
    """Parts of a manifest that the repository does not hold."""
    CONDEMNED_HELD = "condemned though held"
    """Condemned content that a repository holds: it would be removed."""
    WHOLE_UNHELD = "not condemned though unheld"
    """Content that no repository holds and that is not condemned: it would never be removed."""
    NEEDED_UNREFERRED = "needed by no manifest"
    """A blob that counts as needed, to which no manifest of its repository refers."""
    REFERRED_UNNEEDED = "unneeded though referred to"
    """A blob that counts as unneeded, to which a manifest of its repository refers."""
    TAG_MALFORMED = "tag malformed"
    """A tag that points at a text that is not a digest."""
    MALFORMED = "malformed"
    """A row with a text that is not a digest; `repository` is the table."""


@dataclass(frozen=True, slots=True)
class RowDefect:
    """One defect. `name` is the tag or the part, where there is one; `key` is where the next page begins."""

    defect: Defect
    repository: str
    digest: str
    name: str
    key: tuple[str | int, ...]


class RowInspection(Protocol):
    """All rows of content, and the defects of rows."""

    async def check_database(self, *, thorough: bool) -> Sequence[str]:
        """Return what is wrong with the database as a file, in words; nothing means that it is sound."""

    async def is_empty(self) -> bool:
        """Return whether there is neither a repository nor content."""

    async def totals(self) -> tuple[int, int]:
        """Return the number of contents, and their bytes."""

    async def find_content(self, digest: Digest) -> ContentRow | None:
        """Return the row of content."""

    async def page_contents(self, prefix: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return rows of content whose digest begins with `algorithm:xx`, in order, beginning after `after`."""

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return what uses this content, up to `limit` of each."""

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, beginning after `after`. Each is true of one moment."""


class RowRepair(Protocol):
    """The changes to rows, each in a transaction of its own that changes nothing when its reason is gone."""

    async def repair(self, defect: RowDefect) -> bool:
        """Repair a defect for which rows alone suffice, if it is still there. Returns whether it was repaired."""

    async def make_whole(self, record: ContentRecord) -> bool:
        """Make held content whole, of this size, at this place, where its bytes are durable. Returns whether it is."""

    async def condemn(self, record: ContentRecord) -> bool:
        """Condemn content without a row. Returns `False` when it has one, or a repository holds it by now."""

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, place: Place) -> bool:
        """Make a repository hold the manifest that a tag of it points at, whose bytes are durable at this place.

        Returns `False` when the tag no longer lacks it.
        """


class InspectedRows(RowInspection, RowRepair, Protocol):
    """Both."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The stores that `fsck` compares and repairs; `tree` is for content that is kept as files."""

    stores: Rows
    content: ContentStore
    uploads: UploadStore
    rows: InspectedRows
    contents: ContentInspection
    tree: TreeInspection | None = None
