"""The system calls of file storage, in one class, so that tests can count, fail or interrupt each of them.

Every `OSError` becomes a `StorageFault` that names the action: a `StorageFull` when there is no room, a
`StorageReadOnly` on a read-only disk. Absence is a result: a method whose file may be missing returns `None` or
`False`.
"""

import ctypes
import errno
import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_libc = ctypes.CDLL(None, use_errno=True)

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
NAMED_FILE = 0o444
"""The mode of content under its final name, which is never written again."""


class Disk:
    """Makes system calls in the calling thread."""

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
                # A crash between `make_read_only` and `rename` leaves a session's file read-only.
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
        """Close a descriptor, which also releases its lock."""
        with _faults("close a file"):
            os.close(fd)

    def try_lock(self, fd: int) -> bool:
        """Take the exclusive lock of an open file if it is free. Return whether it was."""
        with _faults("lock a file"):
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

    def lock(self, fd: int) -> None:
        """Wait for the exclusive lock of an open file."""
        with _faults("lock a file"):
            fcntl.flock(fd, fcntl.LOCK_EX)

    def write(self, fd: int, data: bytes, at: int) -> None:
        """Write all of `data`, beginning `at` bytes into the file."""
        with _faults("write to a file"):
            written = os.pwrite(fd, data, at)
            while written < len(data):
                written += os.pwrite(fd, memoryview(data)[written:], at + written)

    def read(self, fd: int, size: int, at: int) -> bytes:
        """Return up to `size` bytes, beginning `at` bytes into the file; none at its end."""
        with _faults("read a file"):
            return os.pread(fd, size, at)

    def truncate(self, fd: int, size: int) -> None:
        """Drop the bytes of the file beyond `size`."""
        with _faults("shorten a file"):
            os.ftruncate(fd, size)

    def make_read_only(self, fd: int) -> None:
        """Set the mode of an open file to `NAMED_FILE`."""
        with _faults("make a file read-only"):
            os.fchmod(fd, NAMED_FILE)

    def make_path_read_only(self, path: str) -> None:
        """Set the mode of a file that cannot be opened to `NAMED_FILE`."""
        with _faults("make a file read-only"):
            os.chmod(path, NAMED_FILE)

    def fsync(self, fd: int) -> None:
        """Make the file's bytes, size and mode durable."""
        with _faults("make a file durable"):
            os.fsync(fd)

    def fsync_directory(self, path: str) -> None:
        """Make the names in a directory durable."""
        with _faults("make a directory durable"):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def sync_file_system(self, path: str) -> None:
        """Make all that was written to the file system of a path durable: for many files, less than a sync of each."""
        with _faults("make files durable"):
            fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                if _libc.syncfs(fd) != 0:
                    error = ctypes.get_errno()
                    raise OSError(error, os.strerror(error))
            finally:
                os.close(fd)

    def make_directory(self, path: str) -> bool:
        """Make a directory. Return whether it was missing."""
        with _faults("make a directory"):
            try:
                os.mkdir(path, PRIVATE_DIRECTORY)
            except FileExistsError:
                return False
            return True

    def rename(self, source: str, target: str) -> None:
        """Rename a file in one step, replacing any file of the new name."""
        with _faults("rename a file"):
            os.rename(source, target)

    def link(self, source: str, target: str) -> bool:
        """Give a file a second name. Return `False` if the name is taken or the file system has no hard links."""
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

    def replace(self, path: str, data: bytes) -> None:
        """Replace a small file, readable by its owner only. A crash leaves the old file or the new one."""
        new = f"{path}.new"
        self.unlink(new)  # a file left by a crash may have any mode
        fd = self.create(new)
        try:
            self.write(fd, data, 0)
            self.fsync(fd)
        finally:
            self.close(fd)
        # Only after the sync: a name that is durable before its bytes is an empty file after a power cut.
        self.rename(new, path)
        self.fsync_directory(os.path.dirname(path))

    def unlink(self, path: str) -> bool:
        """Remove a file. Return whether it existed."""
        with _faults("remove a file"):
            try:
                os.unlink(path)
            except FileNotFoundError:
                return False
            return True

    def stat(self, path: str) -> os.stat_result | None:
        """Return the status of a path, or `None` if it does not exist."""
        try:  # without `_faults`, which takes longer than the call, and every pull makes it
            return os.stat(path, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise fault_of(error)("inspect a file", error) from error

    def stat_open(self, fd: int) -> os.stat_result:
        """Return the status of an open file."""
        with _faults("inspect a file"):
            return os.fstat(fd)

    def room(self, path: str) -> int:
        """Return the number of bytes that can be written to the file system of a path.

        Raises: StorageReadOnly when it is mounted read-only. One that a failure made so is only detected by a write.
        """
        with _faults("find free space"):
            found = os.statvfs(path)
            if found.f_flag & os.ST_RDONLY:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return found.f_bavail * found.f_frsize

    def touch(self, path: str) -> None:
        """Set the times of a path to now: the smallest write."""
        with _faults("write to the disk"):
            os.utime(path)

    def in_memory(self, fd: int) -> bool:
        """Return whether the beginning of an open file is in the page cache; `False` if that is unknown."""
        try:
            return os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT) > 0
        except OSError:
            return False

    def drop_from_memory(self, fd: int) -> None:
        """Ask the kernel to drop the synced pages of an open file from its cache."""
        with _faults("read a file"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def names(self, path: str) -> Sequence[str]:
        """Return the names in a directory, unordered."""
        with _faults("list a directory"):
            return os.listdir(path)


@contextmanager
def _faults(action: str) -> Iterator[None]:
    """Turn an `OSError` into the fault that names `action`."""
    try:
        yield
    except OSError as error:
        raise fault_of(error)(action, error) from error


def fault_of(error: OSError) -> type[StorageFault]:
    """Return the class of fault for an error of a system call."""
    if error.errno == errno.EROFS:
        return StorageReadOnly
    return StorageFull if error.errno in _FULL else StorageFault
