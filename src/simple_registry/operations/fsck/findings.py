"""What `fsck` says: each thing that is wrong, whom it affects, and what was done or is to be done about it."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class Kind(StrEnum):
    """What is wrong. `docs/operations/fsck.md` explains each."""

    DATABASE = "database"
    """The database itself is broken, empty or missing."""
    MISSING = "missing"
    """A row stands, its file does not."""
    SHORT = "short"
    """The file has fewer bytes than its row says."""
    LONG = "long"
    """The file has more bytes than its row says."""
    FLIPPED = "flipped"
    """The file has the right size and wrong bytes."""
    NOT_A_FILE = "not-a-file"
    """A directory, a link or the like has the name of content."""
    UNREADABLE = "unreadable"
    """The file cannot be read."""
    ORPHAN = "orphan"
    """A file has the name of content and no row."""
    STRAY = "stray"
    """A file has no name of ours."""
    LEFTOVER = "leftover"
    """Bytes of an upload that has no session any more."""
    CUT_UPLOAD = "cut-upload"
    """An upload session lacks bytes that were acknowledged."""
    DANGLING = "dangling"
    """A row points at something that is not there."""
    MISCOUNTED = "miscounted"
    """The note whether somebody holds content is wrong."""
    MALFORMED = "malformed"
    """A row holds what cannot be a digest."""
    LOST_UPLOAD = "lost-upload"
    """A remark: no upload session has any bytes, as in a restored backup."""
    MODE = "mode"
    """A remark: content can be written to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    `detail` says it in words, `done` what was done about it, `advice` what is to be done. Nothing is when `repaired`.
    """

    kind: Kind
    detail: str
    done: str = ""
    advice: str = ""
    digest: str | None = None
    place: str | None = None
    repository: str | None = None
    tag: str | None = None
    repositories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    @property
    def repaired(self) -> bool:
        """Tell whether all is well again."""
        return not self.advice

    @property
    def remark(self) -> bool:
        """Tell whether this is worth saying, but nothing is wrong."""
        return self.kind in {Kind.LOST_UPLOAD, Kind.MODE}


@dataclass(frozen=True, slots=True)
class Mode:
    """How thorough a check is (`deep`: every byte is read), and whether it mends."""

    deep: bool = False
    repair: bool = False


class Progress:
    """How far a check has come; `contents` and `bytes` are how much there was at its beginning."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.contents = 0
        self.bytes = 0
        self.contents_checked = 0
        self.bytes_read = 0
        self.step = ""
        self._lock = Lock()

    def read(self, size: int) -> None:
        """Note that bytes were read. Called from threads."""
        with self._lock:
            self.bytes_read += size


@dataclass(slots=True)
class Summary:
    """What came of a check."""

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
