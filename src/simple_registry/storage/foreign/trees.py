"""Directories of other programs: listed without following links, read within bounds.

Whatever is not of the expected kind counts as absent: a link, a device, a directory in the place of a file.
"""

import os
import stat
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from simple_registry.content import LocalFile, read_exactly
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid
from simple_registry.oci.names import MAX_NAME_LENGTH
from simple_registry.storage.sources import SourceInvalid


def below(base: Path, inner: Callable[[Path], Collection[str]]) -> Iterator[Path]:
    """Yield the directories below `base` that may be repositories, in order, parents first.

    Names that begin with a dot or an underscore are no names of repositories, nor are those that `inner` returns for
    their parent. No directory is deeper than the longest name of a repository.
    """
    unseen = [base]
    while unseen:
        directory = unseen.pop()
        if directory != base:
            yield directory
        names = [name for name in directories(directory) if not name.startswith((".", "_"))]
        children = (directory / name for name in reversed(names) if name not in inner(directory))
        unseen += (path for path in children if len(str(path.relative_to(base))) <= MAX_NAME_LENGTH)


def directories(path: Path) -> Sequence[str]:
    """Return the names of the directories in a directory, in order; none if it is absent.

    Raises: SourceInvalid when it cannot be listed.
    """
    return sorted(entry.name for entry in _scanned(path) if entry.is_dir(follow_symlinks=False))


def files(path: Path) -> Sequence[str]:
    """Return the names of the regular files in a directory, in order; none if it is absent.

    Raises: SourceInvalid when it cannot be listed.
    """
    return sorted(entry.name for entry in _scanned(path) if entry.is_file(follow_symlinks=False))


def _scanned(path: Path) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise SourceInvalid(str(path), f"it cannot be listed: {error.strerror}") from error


def is_directory(path: Path) -> bool:
    """Return whether there is a directory of this name, which is no link."""
    found = _status(path)
    return found is not None and stat.S_ISDIR(found.st_mode)


def find_file(path: Path) -> LocalFile | None:
    """Return a regular file, or `None`."""
    found = _status(path)
    if found is None or not stat.S_ISREG(found.st_mode):
        return None
    return LocalFile(str(path), found.st_size)


def _status(path: Path) -> os.stat_result | None:
    try:
        return os.stat(path, follow_symlinks=False)
    except OSError:
        return None


def read_file(path: Path, limit: int) -> bytes | None:
    """Return the bytes of a regular file, or `None` if there is none.

    Raises: SourceInvalid when it has more than `limit` bytes or cannot be read.
    """
    file = find_file(path)
    if file is None:
        return None
    if file.size > limit:
        raise SourceInvalid(str(path), f"it has {file.size} bytes; up to {limit} are read")
    try:
        fd = file.open()
        try:
            return read_exactly(fd, 0, file.size)
        finally:
            os.close(fd)
    except StorageFault as fault:
        raise SourceInvalid(str(path), str(fault)) from fault


def digests(path: Path) -> Iterator[tuple[Digest, Path]]:
    """Yield the digests that a tree of `<algorithm>/<encoded>` names, each with its path. Other names are skipped."""
    for algorithm in directories(path):
        for name in sorted(entry.name for entry in _scanned(path / algorithm)):
            try:
                yield parse_digest(f"{algorithm}:{name}"), path / algorithm / name
            except DigestInvalid:
                continue
