"""The claim of a data directory: it belongs to this user, has a known format, and no other server uses it.

The claim is an `flock` on an open file that forked workers inherit, so it lasts until the last of them has exited. A
refused directory is left unchanged. A complete directory on a read-only disk can be claimed to serve pulls.
"""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from simple_registry.faults import DataDirectoryRefused, StorageFault, StorageFull, StorageReadOnly
from simple_registry.storage.filesystem.disk import PRIVATE_DIRECTORY, Disk
from simple_registry.storage.filesystem.layout import Layout

FORMAT = 1
"""The format of directories that this program reads and writes; `docs/storage-format.md` describes it."""

_MARKER = "simple-registry data directory, format "
MAX_REPORT = 2000
"""Bytes of `server.lock`."""
MARKER = f"{_MARKER}{FORMAT}\n".encode()
"""What `format` holds."""
_HARMLESS = frozenset({"server.lock", "format.new", "lost+found"})
"""Files that a new directory may have: those of an interrupted first start, and of a new file system."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A claimed data directory. If it is `read_only`, nothing in it can be changed."""

    layout: Layout
    read_only: bool
    _disk: Disk
    _lock: int | None

    @classmethod
    def claim(cls, path: str | os.PathLike[str], disk: Disk | None = None) -> "DataDirectory":
        """Claim the directory at `path`, created if missing, for this process and its forked workers.

        Raises: DataDirectoryRefused when it cannot be used.
        """
        disk = disk or Disk()
        layout = Layout(path)
        read_only = _require_directory(disk, layout)
        if os.geteuid() == 0:  # any other user is restricted by the modes of the directory
            _require_owner(layout)
            _require_closed(layout)
        _require_known_format(layout)
        if read_only:
            return cls(layout, read_only, disk, _lock_read_only(disk, layout))
        try:
            lock = disk.open_write(layout.server_lock)
            try:
                _lock(disk, layout, lock)
                _require_known_format(
                    layout
                )  # again: another server may have changed the directory before the lock was held
                _prepare(disk, layout)
            except BaseException:
                disk.close(lock)
                raise
        except DataDirectoryRefused:
            raise
        except StorageFault as fault:
            raise DataDirectoryRefused(layout.root, f"{fault}; make room or choose another directory") from fault
        return cls(layout, read_only, disk, lock)

    @staticmethod
    def find(path: str | os.PathLike[str]) -> Layout:
        """Return the layout of a directory that a server of this user has made, whether or not it is in use.

        Raises: DataDirectoryRefused.
        """
        layout = Layout(path)
        if not _require_owner(layout):
            raise DataDirectoryRefused(layout.root, "it is not a data directory; give that of the server with -datadir")
        if os.geteuid() == 0:
            _require_closed(layout)
        _require_known_format(layout)
        return layout

    @staticmethod
    def make(path: str | os.PathLike[str], disk: Disk | None = None) -> Layout:
        """Return the layout of a directory that holds nothing, created if missing, for a copy.

        Raises: DataDirectoryRefused.
        """
        layout = Layout(path)
        if _require_directory(disk or Disk(), layout) or Path(layout.format).exists():
            raise DataDirectoryRefused(layout.root, "a server has used it; choose an empty directory")
        _require_known_format(layout)
        return layout

    def traces(self) -> str | None:
        """Return evidence that the registry was in use, or `None`."""
        if self._disk.stat(self.layout.signing_keys) is not None:
            return "signing-keys.json"
        for algorithm in self.layout.algorithms():
            for directory in self._disk.names(algorithm):
                if self._disk.names(f"{algorithm}/{directory}"):
                    return "content in blobs/"
        return None

    def report(self, url: str, reloads: int, outcome: str) -> None:
        """Write an address of the server, the number of reloads and the outcome of the last one, for `running_server`.

        Raises: StorageFault.
        """
        if self._lock is not None and not self.read_only:
            _write_owner(self._disk, self._lock, f"{os.getpid()}\n{url}\n{reloads} {' '.join(outcome.split())}")

    def release(self) -> None:
        """Release the claim of this process; forked workers keep theirs."""
        if self._lock is not None:
            self._disk.close(self._lock)


def _require_directory(disk: Disk, layout: Layout) -> bool:
    """Require a directory that can be read and written. Return whether its disk is read-only."""
    root = Path(layout.root)
    try:
        if not root.exists():
            root.mkdir(mode=PRIVATE_DIRECTORY, parents=True, exist_ok=True)
            disk.fsync_directory(str(root.parent))
    except OSError as error:
        raise DataDirectoryRefused(
            layout.root, f"it cannot be created ({error.strerror}); create it or choose another path"
        ) from error
    if not root.is_dir():
        raise DataDirectoryRefused(layout.root, "it is not a directory; choose another path")
    if _is_read_only(disk, layout):
        if os.access(root, os.R_OK | os.X_OK) and Path(layout.format).exists():
            return True
        raise DataDirectoryRefused(
            layout.root, "it is on a read-only file system and no server has used it; choose another directory"
        )
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        raise DataDirectoryRefused(
            layout.root, "it is not writable for this user; change its owner or choose another directory"
        )
    return False


def _is_read_only(disk: Disk, layout: Layout) -> bool:
    """Return whether the file system is read-only. Tries a write: only that reveals a disk that failed."""
    try:
        disk.touch(layout.root)
    except StorageReadOnly:
        return True
    except StorageFault:
        return False  # perhaps lack of permission, which is checked next
    return False


def _require_owner(layout: Layout) -> bool:
    """Require that this user's server made the directory. Return whether any server did.

    New files must belong to that user. That user could also mislead root by a link in the place of a file that root
    would create or write to.
    """
    try:
        owner = os.lstat(layout.format).st_uid
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise DataDirectoryRefused(
            layout.root, f"{error.strerror}; run this as the user to whom the directory belongs"
        ) from error
    if owner != os.geteuid():
        raise DataDirectoryRefused(
            layout.root, f"it belongs to the user with id {owner}; work on it as that user (sudo -u '#{owner}')"
        )
    return True


def _require_closed(layout: Layout) -> None:
    """Require, for root, that no other user can replace files in the directory."""
    found = Path(layout.root).stat()
    if found.st_uid != 0:
        raise DataDirectoryRefused(
            layout.root,
            f"it belongs to the user with id {found.st_uid}, who could redirect root's writes; "
            f"run this as that user (sudo -u '#{found.st_uid}'), or give it to root (chown root)",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DataDirectoryRefused(
            layout.root,
            "other users may write to it, and could redirect root's writes; "
            "remove that permission (chmod go-w), or run this as a dedicated user",
        )


def _require_known_format(layout: Layout) -> None:
    """Require that the directory is new, or has the marker of a known format."""
    try:
        marker = Path(layout.format).read_text("ascii")
    except FileNotFoundError:
        others = sorted(set(os.listdir(layout.root)) - _HARMLESS)
        if others:
            raise DataDirectoryRefused(
                layout.root, f"it holds other files ({others[0]!r}); choose an empty directory"
            ) from None
        return
    except (OSError, ValueError) as error:
        raise DataDirectoryRefused(layout.root, f"its format file cannot be read ({error}); restore it") from error
    written = marker.removeprefix(_MARKER).strip()
    if not marker.startswith(_MARKER) or not (written.isascii() and written.isdigit()):
        raise DataDirectoryRefused(
            layout.root, "its format file is not that of a data directory; choose another directory"
        )
    if int(written) > FORMAT:
        raise DataDirectoryRefused(
            layout.root, f"a newer version wrote it (format {written}, this one knows {FORMAT}); use that version"
        )


def _lock_read_only(disk: Disk, layout: Layout) -> int | None:
    """Take the server lock, if its file exists, against servers for which the disk is writable."""
    lock = disk.open_read(layout.server_lock)
    if lock is not None and not disk.try_lock(lock):
        disk.close(lock)
        raise DataDirectoryRefused(layout.root, "another server uses it; stop it or choose another directory")
    return lock


def _lock(disk: Disk, layout: Layout, lock: int) -> None:
    """Take the server lock and write this process's id into it, which the refusal of other servers shows."""
    if not disk.try_lock(lock):
        owner = disk.read(lock, 32, 0).decode("ascii", "replace").partition("\n")[0] or "unknown"
        raise DataDirectoryRefused(
            layout.root,
            f"the server with process id {owner}, or a worker of it, uses it; stop it or choose another directory",
        )
    with suppress(StorageFull):  # only `running_server` needs it
        _write_owner(disk, lock, str(os.getpid()))


def _write_owner(disk: Disk, lock: int, text: str) -> None:
    data = text.encode(errors="replace")[: MAX_REPORT - 1] + b"\n"
    disk.write(lock, data, 0)  # overwrites, then truncates: this order needs no new block on a full disk
    disk.truncate(lock, len(data))


@dataclass(frozen=True, slots=True)
class RunningServer:
    """The server that uses a directory, as it describes itself."""

    pid: int
    url: str
    """Empty until it serves."""
    reloads: int
    """The number of reloads that ended, successful or not."""
    outcome: str
    """Of the last reload."""


def running_server(path: str | os.PathLike[str], disk: Disk | None = None) -> RunningServer | None:
    """Return the server that uses a directory, or `None`.

    Raises: DataDirectoryRefused, StorageFault.
    """
    disk = disk or Disk()
    lock = disk.open_read(DataDirectory.find(path).server_lock)
    if lock is None:
        return None
    try:
        # What follows these three lines is the end of a longer report that is being replaced.
        pid, url, last, *_ = [*disk.read(lock, MAX_REPORT, 0).decode(errors="replace").split("\n"), "", ""]
        if disk.try_lock(lock) or not (pid.isascii() and pid.isdecimal()):
            return None
    finally:
        disk.close(lock)
    number, _, outcome = last.partition(" ")
    return RunningServer(int(pid), url, int(number) if number.isascii() and number.isdecimal() else 0, outcome)


def has_content_tree(disk: Disk, layout: Layout) -> bool:
    """Return whether `blobs/` has been used: it has the directory of an algorithm, which no empty mount point has."""
    return any(disk.stat(directory) is not None for directory in layout.algorithms())


class ContentTree:
    """The `blobs/` that was there at the start: while it is unmounted or replaced, files only seem to be removed."""

    def __init__(self, disk: Disk, layout: Layout) -> None:
        self._disk = disk
        self._layout = layout
        self._known = self._identity()

    def check(self) -> None:
        """Raise StorageFault unless it is there."""
        found = self._identity()
        self._known = self._known or found  # a process may start while it is unmounted
        if found is None or found != self._known:
            raise StorageFault(
                "look for content",
                f"{self._layout.blobs} is gone or empty, or was replaced since the start; is the file system mounted?",
            )

    def _identity(self) -> tuple[int, int] | None:
        found = self._disk.stat(self._layout.blobs)
        if found is None or not has_content_tree(self._disk, self._layout):
            return None
        return found.st_dev, found.st_ino


def _prepare(disk: Disk, layout: Layout) -> None:
    """Create missing files: the marker first, so that the directory of an interrupted start is recognised.

    The database is created after the directories, so a database without them shows that they were lost.
    """
    database = disk.stat(layout.database)
    if database is not None and database.st_size > 0 and not has_content_tree(disk, layout):
        state = "missing" if disk.stat(layout.blobs) is None else "empty"
        raise DataDirectoryRefused(
            layout.blobs, f"it is {state}, although registry.db is there; mount it, or restore it from a backup"
        )
    if disk.stat(layout.format) is None:
        disk.replace(layout.format, MARKER)
    for directory in layout.directories():
        disk.make_directory(directory)
    disk.fsync_directory(layout.blobs)
    disk.fsync_directory(layout.root)
