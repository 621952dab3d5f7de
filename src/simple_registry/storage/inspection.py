"""What `fsck` asks of stores: every row and every file, to compare them, and the few changes that mend them.

    rows   ──► contents, holders, tags, sessions, as they stand
    files  ──► what stands at each place; a place is a path below the data directory, to be shown and handed back

A first look takes no lock, since a push or the collector may be at work: what it finds is only a suspicion. `settle`
and the changes look again while nobody writes rows. Under that lock no row comes or goes and the collector removes no
file; a push may still replace a file, in one step, which `Look` shows.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, TypeVar

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.storage.life import ContentState
from simple_registry.storage.records import ContentRecord, ManifestRow, SessionRow

_T = TypeVar("_T")


class ContentUnreadable(StorageFault):
    """This one file cannot be read, whatever is tried: a bad sector, or rights that keep us out."""


# ---------------------------------------------------------------- files


@dataclass(frozen=True, slots=True)
class Look:
    """What stands at a place. Two looks are equal when nothing replaced or changed it in between.

    `regular` is a plain file, `readable` whether its mode lets anybody read it, `read_only` whether it has the mode of
    content. `changed` is when it got its name, mode or bytes, in seconds since the epoch.
    """

    regular: bool
    readable: bool
    read_only: bool
    size: int
    changed: float
    identity: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hashed:
    """The digest of a file's bytes, and how the file looked when it was opened."""

    digest: Digest
    look: Look


class FileInventory(Protocol):
    """All that lies in the trees of content and uploads."""

    def check(self) -> None:
        """Raise StorageFault unless content can be looked for."""
        ...

    def contents(self, beginning: str) -> Sequence[Digest]:
        """Return the digests that begin with `algorithm:xx` and whose name something has, in order."""
        ...

    def place(self, digest: Digest) -> str:
        """Return where content of this digest belongs."""
        ...

    def session_place(self, session: str) -> str:
        """Return where the bytes of a session belong."""
        ...

    def sessions(self) -> Sequence[str]:
        """Return the sessions whose name something has, in order."""
        ...

    def strays(self) -> Iterator[str]:
        """Yield the places that have no name of ours, in order. What lies below one is not yielded."""
        ...

    def look(self, place: str) -> Look | None:
        """Tell what stands at a place; `None` when nothing does."""
        ...


class FileReader(Protocol):
    """Reading what lies there, from the disk itself where that can be, without driving other files out of memory."""

    async def digest(self, place: str, algorithm: str, read: Callable[[int], None]) -> Hashed | None:
        """Return the digest of a regular file, or `None` when none is there; `read` hears of bytes, from a thread.

        Raises: ContentUnreadable; StorageFault for what may not be this file's fault.
        """
        ...

    async def read(self, digest: Digest, limit: int) -> bytes | None:
        """Return the first `limit` bytes of content; `None` when it is not there or cannot be read."""
        ...


class FileRepair(Protocol):
    """The changes to files. All but `busy` and `confirm` are called while nobody writes rows."""

    def set_aside(self, place: str, seen: Look, name: str) -> str | None:
        """Move what was seen at a place to the quarantine, under `name` and a number; return where it is now.

        Returns `None`, and leaves in place what is there, when that is something else by now.
        """
        ...

    def busy(self, session: str) -> bool:
        """Tell whether somebody writes to this session at the moment."""
        ...

    def confirm(self, content: ContentRecord) -> bool:
        """Make content durable that has its name, and its name too. Returns whether it has."""
        ...

    def protect(self, place: str) -> None:
        """Give a file the mode of content."""
        ...


class FileStore(FileInventory, FileReader, FileRepair, Protocol):
    """All of them."""


# ---------------------------------------------------------------- rows


@dataclass(frozen=True, slots=True)
class ContentRow:
    """What the rows say of content: its size and its state."""

    digest: Digest
    size: int
    state: ContentState


@dataclass(frozen=True, slots=True)
class Uses:
    """Who is affected when content is damaged: repositories, and `repository:tag`s."""

    repositories: tuple[str, ...]
    tags: tuple[str, ...]


class Defect(StrEnum):
    """What can be wrong with rows by themselves; each word says what `RowDefect` names."""

    TAG_WITHOUT_MANIFEST = "tag without manifest"
    """A tag, and the digest it points at, which its repository does not hold as a manifest."""
    PART_MISSING = "part missing"
    """A manifest and a part of it that the repository does not hold; foreign layers are among them."""
    BLOB_WITHOUT_CONTENT = "blob without content"
    """A blob of a repository for which no row of contents stands."""
    MANIFEST_WITHOUT_CONTENT = "manifest without content"
    """A manifest of a repository for which no row of contents stands."""
    HOLDER_WITHOUT_REPOSITORY = "holder without repository"
    """A name that holds content and has no row of repositories."""
    PARTS_WITHOUT_MANIFEST = "parts without manifest"
    """Parts of a manifest that the repository does not hold."""
    HELD_AS_UNHELD = "held as unheld"
    """Content that a repository holds, and that is condemned."""
    UNHELD_AS_HELD = "unheld as held"
    """Content that no repository holds, and that is not condemned: it would never be collected."""
    TAG_MALFORMED = "tag malformed"
    """A tag that points at what is no digest."""
    MALFORMED = "malformed"
    """A row with a digest that is none; `repository` is the table."""


@dataclass(frozen=True, slots=True)
class RowDefect:
    """One defect. `name` is the tag or the part, where there is one; `key` is for asking for the next page."""

    defect: Defect
    repository: str
    digest: str
    name: str
    key: tuple[str | int, ...]


class InventoryRows(Protocol):
    """All rows, as they stand."""

    async def check_database(self, *, thorough: bool) -> Sequence[str]:
        """Return what is wrong with the database as a file, in words; nothing means that it is sound."""
        ...

    def totals(self) -> tuple[int, int]:
        """Return how many contents there are, and their bytes."""
        ...

    def has_repositories(self) -> bool:
        """Tell whether there is any repository."""
        ...

    def page_contents(self, beginning: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return contents whose digest begins with `algorithm:xx`, in order, beginning after `after`."""
        ...

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return who would miss this content, up to `limit` of each."""
        ...

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, beginning after `after`. Each is true of one moment."""
        ...

    async def find_session(self, session: str) -> SessionRow | None:
        """As `SessionRows.find_session`."""
        ...

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open upload sessions in order of their ids, beginning after `after`."""
        ...


class RowRepair(Protocol):
    """The changes to rows, each in a transaction of its own that looks again."""

    async def settle(self, digest: Digest, judge: Callable[[ContentRow | None, bool], _T]) -> _T:
        """Return what `judge` says of the row of content, and whether a repository holds it, while nobody writes."""
        ...

    async def alone(self, act: Callable[[], _T]) -> _T:
        """Return what `act` returns; it is called while nobody writes rows."""
        ...

    async def adopt(self, content: ContentRecord, *, present: Callable[[], bool]) -> bool:
        """Give content its row, or that row its size and the state whole; content that nothing holds is condemned.

        Returns `False`, and changes nothing, when `present()` says in the transaction that the content is gone.
        """
        ...

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, *, present: Callable[[], bool]) -> bool:
        """Make a repository hold the manifest that a tag of it points at, if that tag still stands without it.

        Returns `False`, and changes nothing, otherwise, and when `present()` says that the content is gone.
        """
        ...

    async def mend(self, defect: RowDefect) -> bool:
        """Mend a defect that rows alone can tell how to mend, if it still stands. Returns whether it did.

        Those are: holders without a repository get it; parts without a manifest and malformed tags go; notes about
        who is held follow the holders. Other defects are left alone.
        """
        ...

    async def remove_session(self, session: str) -> bool:
        """As `SessionRows.remove_session`."""
        ...


class RowStore(InventoryRows, RowRepair, Protocol):
    """All of them."""
