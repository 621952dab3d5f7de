"""The protocols by which `fsck` inspects and repairs stores.

    rows      each row of content, and the defects of rows
    contents  a listing of what a content store holds: digest, size, version
    tree      what only files on a disk have: modes, strays, a quarantine

The first comparison of a row with its bytes takes no lock. A push or the collector may change them meanwhile, so its
result is only a suspicion. The second one holds `GarbageRows.collecting`: then the row of whole content guarantees its
bytes, and only a push can change them, in one step, which their `version` shows.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import ContentState
from simple_registry.storage.protocols.content import ContentStore, UploadStore
from simple_registry.storage.protocols.rows import Rows
from simple_registry.storage.records import ContentRecord, ManifestRow, Place


class ContentUnreadable(StorageFault):
    """The bytes of one content cannot be read, now or later: a bad sector, or missing permissions."""


# ---------------------------------------------------------------- content


class Flaw(StrEnum):
    """What is wrong with stored content, apart from its bytes."""

    NOT_A_FILE = "not a file"
    UNREADABLE = "unreadable"
    WRITABLE = "writable"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a store has under a digest. Two values are equal if it was neither replaced nor changed in between.

    `size` is in bytes; `changed` is the time of the last change of its name, mode or bytes, in seconds since the epoch.
    """

    digest: Digest
    place: Place
    size: int
    changed: float
    version: Hashable
    flaw: Flaw | None = None
    stamp: str = ""

    @property
    def record(self) -> ContentRecord:
        """The record of these bytes, once they were verified."""
        return ContentRecord(self.digest, self.size, self.place, stamp=self.stamp)


class ContentInspection(Protocol):
    """All that a content store holds."""

    def check(self) -> None:
        """Raise StorageFault unless content can be listed, as at the start: what is not found then is absent."""

    def path(self, digest: Digest) -> str:
        """Return where an operator finds content of this digest: a path below the data directory, or a name."""

    def session_path(self, session: str) -> str:
        """Return where an operator finds the bytes of an upload session."""

    async def listing(self, prefix: str) -> Sequence[Stored]:
        """Return what is stored under digests that begin with `algorithm:xx`, in order of digest."""

    async def find(self, digest: Digest, place: Place) -> Stored | None:
        """Return what is stored at one place."""

    async def hash(self, stored: Stored, read: Callable[[int], None]) -> Digest | None:
        """Return the digest of the stored bytes, or `None` if they were replaced or removed meanwhile.

        The bytes are read from the disk if possible, and the caches of the kernel stay as they were. `read` is called
        in a thread with each number of bytes read.

        Raises: ContentUnreadable; StorageFault for a failure that may have another cause.
        """

    async def keep(self, stored: Stored) -> bool:
        """Make the stored bytes and their name durable. Return whether they are still there."""


class TreeInspection(Protocol):
    """The files of a data directory as files."""

    async def strays(self) -> Sequence[tuple[str, float]]:
        """Return the paths of strays, in order, each with the time of its last change.

        Paths below a stray are omitted. Paths are below the data directory, times in seconds since the epoch.
        """

    async def set_aside(self, path: str, name: str) -> str:
        """Move a file or directory to the quarantine, under `name` and a number, durably. Return its path there.

        The caller ensures that no acknowledged push places other bytes at this path meanwhile.
        """

    async def clear_name(self, digest: Digest) -> str | None:
        """Move a directory that has the name of content to the quarantine. Return its path there, if there was one."""

    async def keep_damaged(self, stored: Stored) -> str | None:
        """Give a file of content a second name in the quarantine, so that it stays when a push heals the content.

        Return its path there, or `None` if it was replaced, or the file system has no links.
        """

    async def set_mode(self, digest: Digest) -> None:
        """Set the mode of a file of content to the one that content has."""


# ---------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class ContentRow:
    """A row of content; `verified` is when its bytes were last read and compared, in seconds since the epoch."""

    record: ContentRecord
    state: ContentState
    verified: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Uses:
    """The repositories and the tags (`repository:tag`) that damage of some content affects.

    `part` is whether a manifest of any repository refers to it, even if that repository does not hold it.
    """

    repositories: tuple[str, ...]
    tags: tuple[str, ...]
    part: bool


class Defect(StrEnum):
    """Defects of rows. Each docstring says what its `RowDefect` names."""

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
    USAGE = "usage"
    """A counter of usage that differs from the rows; `name` says which one."""
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
        """Return what is wrong with the database file, in words; an empty list if it is sound."""

    async def is_empty(self) -> bool:
        """Return whether there is neither a repository nor content."""

    async def totals(self) -> tuple[int, int]:
        """Return the number of contents, and their bytes."""

    async def find_content(self, digest: Digest) -> ContentRow | None:
        """Return the row of content."""

    async def page_contents(self, prefix: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return rows of content whose digest begins with `algorithm:xx`, in order, after `after`."""

    async def page_unverified(self, before: float, after: ContentRow | None, limit: int) -> Sequence[ContentRow]:
        """Return rows of whole content that was last verified before a time, the longest ago first, after `after`."""

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return up to `limit` repositories and tags that use this content."""

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, after `after`. One query finds each, in one state of the rows."""


class RowRepair(Protocol):
    """Repairs of rows. Each is one transaction, which changes nothing if there is no longer a reason for it."""

    async def repair(self, defect: RowDefect) -> bool:
        """Repair a defect that needs only rows, if it still exists. Return whether it was repaired."""

    async def make_whole(self, record: ContentRecord) -> bool:
        """Record that held content is whole, with durable bytes at this place. Return `False` if it cannot be."""

    async def condemn(self, record: ContentRecord) -> bool:
        """Condemn content without a row. Return `False` if it has one, or a repository holds it by now."""

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, content: ContentRecord) -> bool:
        """Make a repository hold the manifest that its tag points at, and whose bytes are durable at this place.

        Returns `False` if the tag no longer lacks it.
        """


class InspectedRows(RowInspection, RowRepair, Protocol):
    """Inspection and repair of rows."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """The stores that `fsck` compares and repairs; `tree` is for content that is kept as files."""

    stores: Rows
    content: ContentStore
    uploads: UploadStore
    rows: InspectedRows
    contents: ContentInspection
    tree: TreeInspection | None = None
