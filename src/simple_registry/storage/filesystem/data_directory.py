"""Claiming a data directory: it is ours, of a format we know, and no other server uses it.

The claim is an `flock` on an open file that forked workers inherit, so it lasts until the last of them has ended,
however that happens. A directory that is refused is left as it was. One on a disk that is read-only can be claimed when
it is complete: what it holds can be served.
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
"""The format of directories that this program writes and reads; `docs/storage-format.md` describes it."""

_MARKER = "simple-registry data directory, format "
_HARMLESS = frozenset({"server.lock", "format.new", "lost+found"})
"""What a new directory may hold: what a first start leaves when it is cut off, and what a new file system has."""


@dataclass(frozen=True, slots=True)
class DataDirectory:
    """A claimed data directory. When it is `read_only`, nothing in it can be changed."""

    layout: Layout
    read_only: bool
    _disk: Disk
    _lock: int | None

    @classmethod
    def claim(cls, path: str | os.PathLike[str], disk: Disk | None = None) -> "DataDirectory":
        """Claim the directory at `path`, created when missing, for this process and those it will fork.

        Raises: DataDirectoryRefused when it is not ours to use.
        """
        disk = disk or Disk()
        layout = Layout(path)
        read_only = _require_directory(disk, layout)
        if os.geteuid() == 0:  # others cannot do more than the directory's modes let them
            _require_owner(layout)
            _require_closed(layout)
        _require_ours(layout)
        if read_only:
            return cls(layout, read_only, disk, _lock_read_only(disk, layout))
        try:
            lock = disk.open_write(layout.server_lock)
            try:
                _lock(disk, layout, lock)
                _require_ours(layout)  # again: before we held the lock, another server may have been at work
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
        """Return the layout of a directory that a server of this user has made, whether or not one uses it now.

        Raises: DataDirectoryRefused.
        """
        layout = Layout(path)
        if not _require_owner(layout):
            raise DataDirectoryRefused(layout.root, "it is no data directory; give the one of the server with -datadir")
        if os.geteuid() == 0:
            _require_closed(layout)
        _require_ours(layout)
        return layout

    def traces(self) -> str | None:
        """Return what shows that the registry was in use, wherever its database may be, or `None`."""
        if self._disk.stat(self.layout.signing_keys) is not None:
            return "signing-keys.json"
        for algorithm in self.layout.algorithms():
            for directory in self._disk.names(algorithm):
                if self._disk.names(f"{algorithm}/{directory}"):
                    return "content in blobs/"
        return None

    def release(self) -> None:
        """Give up this process's part of the claim."""
        if self._lock is not None:
            self._disk.close(self._lock)


def _require_directory(disk: Disk, layout: Layout) -> bool:
    """See that there is a directory which we may read and write. Returns whether its disk is read-only."""
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
    """Tell whether the file system can only be read; one that failed says so only when it is to be written."""
    try:
        disk.touch(layout.root)
    except StorageReadOnly:
        return True
    except StorageFault:
        return False  # not ours to touch: what else we may do is asked next
    return False


def _require_owner(layout: Layout) -> bool:
    """See that we are the user whose server made the directory. Returns whether a server did.

    What we make must be that user's. And that user may have put there what leads root elsewhere: a link in the place of
    a file that we would make, or write to.
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
    """See that no other user may replace what the directory holds, whoever made it, for what root is to do in it."""
    found = Path(layout.root).stat()
    if found.st_uid != 0:
        raise DataDirectoryRefused(
            layout.root,
            f"it belongs to the user with id {found.st_uid}, who could lead root elsewhere; "
            f"run this as that user (sudo -u '#{found.st_uid}'), or give it to root (chown root)",
        )
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise DataDirectoryRefused(
            layout.root,
            "other users may write to it, and could lead root elsewhere; "
            "take that from them (chmod go-w), or run this as a user of its own",
        )


def _require_ours(layout: Layout) -> None:
    """See that the directory is new, or carries our marker in a format that we know."""
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
        raise DataDirectoryRefused(layout.root, "its format file is not one of ours; choose another directory")
    if int(written) > FORMAT:
        raise DataDirectoryRefused(
            layout.root, f"a newer version wrote it (format {written}, this one knows {FORMAT}); use that version"
        )


def _lock_read_only(disk: Disk, layout: Layout) -> int | None:
    """Keep servers that may write away, if there is a lock: where no server ever was, there is none to come."""
    lock = disk.open_read(layout.server_lock)
    if lock is not None and not disk.try_lock(lock):
        disk.close(lock)
        raise DataDirectoryRefused(layout.root, "another server uses it; stop it or choose another directory")
    return lock


def _lock(disk: Disk, layout: Layout, lock: int) -> None:
    """Take the server lock and leave our process number in it, for whoever finds it taken."""
    if not disk.try_lock(lock):
        owner = disk.read(lock, 32, 0).decode("ascii", "replace").strip() or "unknown"
        raise DataDirectoryRefused(
            layout.root,
            f"the server with process id {owner}, or a worker of it, uses it; stop it or choose another directory",
        )
    owner_line = f"{os.getpid()}\n".encode()
    with suppress(StorageFull):  # it only helps to understand a refusal: no reason not to serve what is there
        disk.write(lock, owner_line, 0)  # over what is there, which takes no room
        disk.truncate(lock, len(owner_line))


def has_content_tree(disk: Disk, layout: Layout) -> bool:
    """Return whether `blobs/` has been used: it has the directory of an algorithm, which no empty mount point has."""
    return any(disk.stat(directory) is not None for directory in layout.algorithms())


def _prepare(disk: Disk, layout: Layout) -> None:
    """Make what is missing: the marker first, so that a start that is cut off leaves a directory that is ours.

    The database comes after the directories, so where it is, they were.
    """
    database = disk.stat(layout.database)
    if database is not None and database.st_size > 0 and not has_content_tree(disk, layout):
        state = "missing" if disk.stat(layout.blobs) is None else "empty"
        raise DataDirectoryRefused(
            layout.blobs, f"it is {state}, although registry.db is there; mount it, or restore it from a backup"
        )
    if disk.stat(layout.format) is None:
        disk.replace(layout.format, f"{_MARKER}{FORMAT}\n".encode())
    for directory in layout.directories():
        disk.make_directory(directory)
    disk.fsync_directory(layout.blobs)
    disk.fsync_directory(layout.root)
