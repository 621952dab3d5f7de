"""The findings of `fsck`, as values: what they affect, what was done, and what remains to be done.

The sentences are in `cli/fsck_words.py`.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from simple_registry.storage.inspection import Defect


class Kind(StrEnum):
    """Kinds of findings. `docs/operations/fsck.md` explains each."""

    DATABASE = "database"
    """The database itself is damaged, empty or missing."""
    MISSING = "missing"
    """A row has no content."""
    SHORT = "short"
    """The content has fewer bytes than its row says."""
    LONG = "long"
    """The content has more bytes than its row says."""
    FLIPPED = "flipped"
    """The content has the right size and wrong bytes."""
    NOT_A_FILE = "not-a-file"
    """A directory, a link or the like has the name of content."""
    UNREADABLE = "unreadable"
    """The content cannot be read."""
    DAMAGED = "damaged"
    """A row says that its content is damaged."""
    ORPHAN = "orphan"
    """Content has no row."""
    STRAY = "stray"
    """A file has a name that the registry does not use."""
    LEFTOVER = "leftover"
    """Bytes of an upload without a session."""
    CUT_UPLOAD = "cut-upload"
    """An upload session lacks bytes that were acknowledged."""
    DANGLING = "dangling"
    """A row refers to something that is not there."""
    MISCOUNTED = "miscounted"
    """The state of a row contradicts other rows."""
    MALFORMED = "malformed"
    """A row has a text that is not a digest."""
    LOST_UPLOAD = "lost-upload"
    """A remark: no upload session has any bytes, as in a restored backup."""
    MODE = "mode"
    """A remark: content is writable."""


class Repair(StrEnum):
    """What a repair did."""

    NOTHING = "nothing"
    MARKED = "marked"
    MADE_WHOLE = "made whole"
    MODE_SET = "mode set"
    CONDEMNED = "condemned"
    MOVED = "moved"
    DISCARDED = "discarded"
    ENDED = "ended"
    ROWS = "rows"
    """What a defect of rows asks for."""


class Remedy(StrEnum):
    """What remains to be done; `NOTHING` after a complete repair."""

    NOTHING = "nothing"
    RESTORE = "restore"
    REPAIR = "repair"
    CHECK_AGAIN = "check again"
    PUSH = "push"
    PUSH_OR_REPAIR = "push or repair"
    PUSH_TO_REPOSITORY = "push to repository"
    ROWS = "rows"
    """What a defect of rows asks for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, with the facts that apply to its kind.

    `path` is below the data directory; `moved_to` is where a repair put what was there. `size` is in bytes and
    `expected` the size that a row has. `actual` is the digest of the bytes that were read, `whole` whether they are
    those of `digest` (`None` where they were not read). `part` is what a manifest lacks; `table` is of the database.
    """

    kind: Kind
    defect: Defect | None = None
    done: Repair = Repair.NOTHING
    to_do: Remedy = Remedy.NOTHING
    digest: str | None = None
    path: str | None = None
    repository: str | None = None
    tag: str | None = None
    repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    size: int = 0
    expected: int = 0
    actual: str | None = None
    whole: bool | None = None
    part: str | None = None
    table: str | None = None
    reason: str = ""
    moved_to: str | None = None

    @property
    def repaired(self) -> bool:
        """Whether nothing remains to be done."""
        return self.to_do is Remedy.NOTHING

    @property
    def remark(self) -> bool:
        """Whether this is only information, and nothing is wrong."""
        return self.kind in {Kind.LOST_UPLOAD, Kind.MODE}


@dataclass(frozen=True, slots=True)
class Mode:
    """Whether a check reads every byte (`deep`), and whether it repairs."""

    deep: bool = False
    repair: bool = False


class Progress:
    """Counts what was checked so far; `contents` and `bytes` are the totals when the check began."""

    def __init__(self, pace: Callable[[int], None] = lambda _size: None) -> None:
        """Call `pace` with each number of bytes, in the thread that read them."""
        self._pace = pace
        self.contents = 0
        self.bytes = 0
        self.contents_checked = 0
        self.bytes_read = 0
        self.step = ""
        self._lock = Lock()

    def read(self, size: int) -> None:
        """Count bytes that were read. Called from threads."""
        with self._lock:
            self.bytes_read += size
        self._pace(size)


@dataclass(slots=True)
class Summary:
    """Counts the findings of a check."""

    found: Counter[Kind] = field(default_factory=Counter)
    repaired: int = 0
    remaining: int = 0
    remarks: int = 0

    def count(self, finding: Finding) -> None:
        """Add a finding."""
        if finding.remark:
            self.remarks += 1
            return
        self.found[finding.kind] += 1
        if finding.repaired:
            self.repaired += 1
        else:
            self.remaining += 1
