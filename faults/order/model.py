"""What a power cut would lose: the page cache below a directory, modelled from the system calls of a trace.

Bytes are on disk after a sync of their file that began after the write and returned 0; names after a sync of their
directory. Paths are those of the trace: strace resolves a descriptor to its current path, also after a rename.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from faults.strace import NAMING, WRITING, Call, open_on, text

LOG = "-wal"
INDEX = "-shm"
"""What SQLite calls its log and the index of it, beside the database; no other name has a meaning here."""

_NAMES = frozenset(NAMING.split(","))
_WRITES = frozenset(WRITING.split(",")) - {"truncate"}
_TARGET = {"copy_file_range": 2, "splice": 2, "mmap": 4}
"""Which argument is written to, where it is not the first."""


@dataclass(slots=True)
class File:
    """An inode: what was done to its bytes, and in which steps."""

    writing: int = 0
    """Writes under way."""
    dirty: bool = False
    last_write: int = -1
    last_clean: int = -1
    by: str = ""
    """The last write."""
    replaces: bool = False
    """Whether its name led to a durable file before, so that no row depends on this one."""


@dataclass(slots=True)
class Name:
    """A directory entry that is not on disk as it is now. `existed`: whether a durable one was there before."""

    step: int
    made: bool
    existed: bool
    by: str


@dataclass(slots=True)
class PageCache:
    """The files below `root`; `existing` are paths that are there, and on disk, when the trace begins."""

    root: str
    existing: Iterable[str] = ()
    files: dict[str, File] = field(default_factory=dict)
    names: dict[tuple[str, str], Name] = field(default_factory=dict)
    named: dict[tuple[str, str], int] = field(default_factory=dict)
    """When each new name came to disk."""
    makings: list[tuple[int, str]] = field(default_factory=list)
    commits: list[int] = field(default_factory=list)
    """When each commit to a log of a database began."""
    logging: bool = False
    """Whether the last thing written below the root was a log."""
    torn: list[tuple[int, str]] = field(default_factory=list)
    """Logs that ended before the pages they hold were on disk."""

    def __post_init__(self) -> None:
        self.files |= {path: File() for path in self.existing}

    def apply(self, step: int, call: Call, *, returned: bool) -> None:
        """Take one step of the trace: the entry of a call, or its return."""
        if call.name in _WRITES:
            self._write(step, call, returned=returned)
        elif not returned or not call.succeeded:
            return
        elif call.name in ("fsync", "fdatasync"):
            self._synced(open_on(call.split()[0]), step, call)
        elif call.name in ("sync", "syncfs"):
            for path in [*self.files, *{directory for directory, _ in self.names}]:
                self._synced(path, step, call)
        elif call.name in _NAMES or call.name == "truncate":
            self._name(step, call)

    def lost(self, since: int, *, removals: bool) -> Iterator[str]:
        """Yield what a power cut would now lose of everything since a step."""
        for path, file in self.files.items():
            if file.dirty and file.last_write >= since and not self._rests_on_log(path):
                yield f"bytes of {self.short(path)} are not on disk: {self.short(file.by)}"
        for (directory, entry), name in self.names.items():
            path = f"{directory}/{entry}"
            if (
                name.step < since
                or path.endswith(INDEX)
                or not (name.made or removals)
                or self._holds_nothing(path, name)
            ):
                continue
            what = "the name of" if name.made else "the removal of"
            yield f"{what} {self.short(path)} is not on disk: {self.short(name.by)}"
        yield from (self.short(why) for step, why in self.torn if step >= since)

    def durable(self, since: int, *, replacements: bool = True) -> Iterator[tuple[int, str]]:
        """Yield what reached the disk since a step, and when; with or without files that replaced a durable one."""
        for path, file in self.files.items():
            if file.last_clean >= since and not self._rests_on_log(path) and (replacements or not file.replaces):
                yield file.last_clean, self.short(path)
        for (directory, entry), step in self.named.items():
            file = self.files.get(f"{directory}/{entry}", File())
            if step >= since and (replacements or not file.replaces):
                yield step, f"the name of {self.short(f'{directory}/{entry}')}"

    def done(self, since: int) -> Iterator[str]:
        """Yield what was written or named since a step, on disk or not."""
        for path, file in self.files.items():
            if file.last_write >= since and not self._rests_on_log(path):
                yield self.short(file.by)
        yield from (self.short(by) for step, by in self.makings if step >= since)

    def short(self, words: str) -> str:
        """Return words without the path of the root."""
        return words.replace(f"{self.root}/", "")

    def _rests_on_log(self, path: str) -> bool:
        """Return whether a log holds the data of this file: a database, or the index of the log."""
        return path.endswith(INDEX) or f"{path}{LOG}" in self.files

    def _holds_nothing(self, path: str, name: Name) -> bool:
        """Return whether a file was opened and never written to, as a lock file."""
        file = self.files.get(path)
        return name.by.startswith(("open", "creat")) and file is not None and file.last_write < 0

    def _below(self, path: str) -> bool:
        return path.startswith(f"{self.root}/")

    # ---------------------------------------------------------------- bytes

    def _write(self, step: int, call: Call, *, returned: bool) -> None:
        path = self._written(call)
        if path is None:
            return
        file = self.files.setdefault(path, File())
        if returned:
            file.writing -= 1
            file.last_write = step
        else:
            file.writing += 1
            self._dirty(path, step, call)

    def _written(self, call: Call) -> str | None:
        """Return the path below the root that a call writes to; a shared map may be written to at any time."""
        arguments = call.split()
        if call.name == "fallocate" and "KEEP_SIZE" in arguments[1]:
            return None  # room, not bytes
        if call.name == "mmap" and not ("MAP_SHARED" in arguments[3] and "PROT_WRITE" in arguments[2]):
            return None
        position = _TARGET.get(call.name, 0)
        path = open_on(arguments[position]) if position < len(arguments) else ""
        return path if self._below(path) else None

    def _dirty(self, path: str, step: int, call: Call) -> None:
        file = self.files.setdefault(path, File())
        if path.endswith(LOG):
            # A commit that did not wait for the disk leaves the log dirty; the next one begins after other writes.
            if not file.dirty or not self.logging:
                self.commits.append(step)
            if call.name == "ftruncate" or (call.name == "pwrite64" and call.split()[-1] == "0"):
                self._log_ends(path, step, call)
        file.dirty, file.last_write, file.by = True, step, str(call)
        if not self._rests_on_log(path):
            self.logging = path.endswith(LOG)

    def _log_ends(self, log: str, step: int, call: Call) -> None:
        database = self.files.get(log.removesuffix(LOG))
        if database is not None and database.dirty:
            self.torn.append((step, f"{log} ends before the pages that it holds are on disk: {call}"))

    def _synced(self, path: str, step: int, call: Call) -> None:
        file = self.files.get(path)
        if file is not None and file.dirty and file.writing == 0 and file.last_write < call.entered:
            file.dirty, file.last_clean = False, step
        for key in [key for key, name in self.names.items() if key[0] == path and name.step < call.entered]:
            name = self.names.pop(key)
            if name.made and not self._holds_nothing("/".join(key), name):
                self.named[key] = step

    # ---------------------------------------------------------------- names

    def _name(self, step: int, call: Call) -> None:
        paths = _paths(call)
        if not any(map(self._below, paths)):
            return
        match call.name:
            case "open" | "openat" | "openat2" | "creat":
                self._opened(paths[0], step, call)
            case "mkdir" | "mkdirat" | "symlink" | "symlinkat":
                self._make(paths[-1], step, call)
            case "rename" | "renameat" | "renameat2":
                self._rename(paths[0], paths[1], step, call)
            case "link" | "linkat":
                self.files[paths[1]] = self.files.setdefault(paths[0], File())
                self._make(paths[1], step, call)
            case "unlink" | "unlinkat" | "rmdir":
                self._remove(paths[0], step, call)
            case _:
                self._dirty(paths[0], step, call)

    def _opened(self, path: str, step: int, call: Call) -> None:
        if path not in self.files:
            if call.name == "creat" or "O_CREAT" in call.arguments:
                self._make(path, step, call)
        elif call.name == "creat" or "O_TRUNC" in call.arguments:
            self._dirty(path, step, call)

    def _make(self, path: str, step: int, call: Call) -> None:
        self.files.setdefault(path, File())
        key = _key(path)
        before = self.names.get(key)
        self.names[key] = Name(step, made=True, existed=before is not None and before.existed, by=str(call))
        self.named.pop(key, None)
        if not path.endswith(INDEX):
            self.makings.append((step, str(call)))

    def _remove(self, path: str, step: int, call: Call) -> None:
        if path.endswith(LOG):
            self._log_ends(path, step, call)
        self.files.pop(path, None)
        for key in [key for key in self.names if key[0] == path]:
            del self.names[key]  # it was in a directory that is gone itself
        before = self.names.pop(_key(path), None)
        self.named.pop(_key(path), None)
        if before is None or before.existed:
            self.names[_key(path)] = Name(step, made=False, existed=True, by=str(call))

    def _rename(self, source: str, target: str, step: int, call: Call) -> None:
        replaces = target in self.files and not self.files[target].dirty and _key(target) not in self.names
        moved = {path: file for path, file in self.files.items() if path == source or path.startswith(f"{source}/")}
        inside = {key: name for key, name in self.names.items() if f"{key[0]}/".startswith(f"{source}/")}
        self._remove(source, step, call)
        for path, file in moved.items():
            self.files.pop(path, None)
            self.files[target + path.removeprefix(source)] = file
            file.replaces = replaces
        for (directory, entry), name in inside.items():
            self.names.pop((directory, entry), None)
            self.names[target + directory.removeprefix(source), entry] = name
        self._make(target, step, call)


def _key(path: str) -> tuple[str, str]:
    pure = PurePosixPath(path)
    return str(pure.parent), pure.name


def _paths(call: Call) -> list[str]:
    """Return the paths that a call names, resolved against the directory descriptors before them."""
    found = []
    base = ""
    for argument in call.split():
        if argument.startswith('"'):
            name = text(argument)
            found.append(name if name.startswith("/") else f"{base}/{name}")
        elif directory := open_on(argument):
            base = directory
    return found or [""]
