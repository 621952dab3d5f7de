"""The few system calls that storage rests on, so that a test can count, fail or cut off each of them.

Every `OSError` leaves as a `StorageFault` that names the action: a `StorageFull` when there is no room, a
`StorageReadOnly` when nothing may be written. Absence is an answer: where a file may be missing, the method returns
`None` or `False`.
"""

import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
NAMED_FILE = 0o444
"""Content that has its final name is never written again."""


class Disk:
    """Does what is asked, at once, in the calling thread."""

    def create(self, path: str) -> int:
        """Return a descriptor of a new file, open for reading and writing."""
        with _faults("create a file"):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)

    def open_write(self, path: str) -> int:
        """Return a descriptor of a file, created when missing, open for reading and writing."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with _faults("open a file for writing"):
            try:
                return os.open(path, flags, PRIVATE_FILE)
            except PermissionError:
                # A crash between making a session's file read-only and renaming it leaves it like this.
                os.chmod(path, PRIVATE_FILE)
                return os.open(path, flags, PRIVATE_FILE)

    def open_read(self, path: str) -> int | None:
        """Return a descriptor open for reading, or `None` when there is no such file."""
        with _faults("open a file for reading"):
            try:
                return os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return None

    def close(self, fd: int) -> None:
        """Close a descriptor, which also lets go of its lock."""
        with _faults("close a file"):
            os.close(fd)

    def try_lock(self, fd: int) -> bool:
        """Take the exclusive lock of an open file unless somebody else has it. Returns whether it was taken."""
        with _faults("lock a file"):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def lock(self, fd: int) -> None:
        """Take the exclusive lock of an open file, once everybody who has it let go."""
        with _faults("lock a file"):
            fcntl.flock(fd, fcntl.LOCK_EX)

    def write(self, fd: int, data: bytes, at: int) -> None:
        """Write all of `data`, beginning `at` bytes into the file."""
        with _faults("write to a file"):
            written = os.pwrite(fd, data, at)
            while written < len(data):
                written += os.pwrite(fd, memoryview(data)[written:], at + written)

    def read(self, fd: int, size: int, at: int) -> bytes:
        """Return up to `size` bytes, beginning `at` bytes into the file; nothing means that the file ends there."""
        with _faults("read a file"):
            return os.pread(fd, size, at)

    def truncate(self, fd: int, size: int) -> None:
        """Drop what the file holds beyond `size` bytes."""
        with _faults("shorten a file"):
            os.ftruncate(fd, size)

    def make_read_only(self, fd: int) -> None:
        """Give the file the mode of named content."""
        with _faults("make a file read-only"):
            os.fchmod(fd, NAMED_FILE)

    def make_path_read_only(self, path: str) -> None:
        """Give a file that cannot even be opened the mode of named content."""
        with _faults("make a file read-only"):
            os.chmod(path, NAMED_FILE)

    def fsync(self, fd: int) -> None:
        """Return once the file's bytes, size and mode would survive a power cut."""
        with _faults("make a file durable"):
            os.fsync(fd)

    def fsync_directory(self, path: str) -> None:
        """Return once the names in a directory would survive a power cut."""
        with _faults("make a directory durable"):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def make_directory(self, path: str) -> bool:
        """Make a directory. Returns whether it was missing."""
        with _faults("make a directory"):
            try:
                os.mkdir(path, PRIVATE_DIRECTORY)
            except FileExistsError:
                return False
            return True

    def rename(self, source: str, target: str) -> None:
        """Give a file another name, in one step, replacing what had it."""
        with _faults("rename a file"):
            os.rename(source, target)

    def link(self, source: str, target: str) -> bool:
        """Give a file a second name. Returns whether it got it: not where something has it, or without links."""
        with _faults("link a file"):
            try:
                os.link(source, target, follow_symlinks=False)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno in _NO_LINKS:
                    return False
                raise
            return True

    def put_back(self, source: str, target: str) -> None:
        """Give a file another name, unless something has that by now: then it keeps the one it has."""
        with _faults("rename a file"):
            try:
                os.link(source, target, follow_symlinks=False)
            except FileExistsError:
                return
            os.unlink(source)

    def replace(self, path: str, data: bytes) -> None:
        """Replace a small file, readable by its owner only. After a crash there is the old file or the new one."""
        new = f"{path}.new"
        self.unlink(new)  # one that a crash left may have any mode
        fd = self.create(new)
        try:
            self.write(fd, data, 0)
            self.fsync(fd)
        finally:
            self.close(fd)
        # Only now: a name that is durable before its bytes would be an empty file after a power cut.
        self.rename(new, path)
        self.fsync_directory(os.path.dirname(path))

    def unlink(self, path: str) -> bool:
        """Remove a file. Returns whether it was there."""
        with _faults("remove a file"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                return False
            return True

    def stat(self, path: str) -> os.stat_result | None:
        """Return what is known of a path, or `None` when nothing has it."""
        try:  # without `_faults`, which would take longer than the call, and every pull makes it
            return os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise _fault("look at a file", error) from error

    def stat_open(self, fd: int) -> os.stat_result:
        """Return what is known of an open file."""
        with _faults("look at a file"):
            return os.fstat(fd)

    def room(self, path: str) -> int:
        """Return how many bytes can still be written to the file system that holds a path, none when it is read-only.

        Raises: StorageReadOnly when it was mounted so; one that became so by a failure is found by writing only.
        """
        with _faults("look for room"):
            found = os.statvfs(path)
            if found.f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return found.f_bavail * found.f_frsize

    def touch(self, path: str) -> None:
        """Set the times of a path to now, which is the least that can be written."""
        with _faults("write to the disk"):
            os.utime(path)

    def in_memory(self, fd: int) -> bool:
        """Tell whether the beginning of an open file can be read without the disk; `False` where nobody can tell."""
        try:
            return os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT) > 0
        except OSError:
            return False

    def drop_from_memory(self, fd: int) -> None:
        """Ask the kernel to forget what it keeps in memory of an open file; what is not on disk yet stays."""
        with _faults("read a file"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def names(self, path: str) -> Sequence[str]:
        """Return the names in a directory, in no order."""
        with _faults("list a directory"):
            return os.listdir(path)


@contextmanager
def _faults(action: str) -> Iterator[None]:
    """Turn an `OSError` into the fault that names `action`."""
    try:
        yield
    except OSError as error:
        raise _fault(action, error) from error


def _fault(action: str, error: OSError) -> StorageFault:
    return fault_of(error)(action, error)


def fault_of(error: OSError) -> type[StorageFault]:
    """Return what the registry calls a failure of a system call."""
    if error.errno == errno.EROFS:
        return StorageReadOnly
    return StorageFull if error.errno in _FULL else StorageFault
