"""What tells one state of the configuration directories from another, without reading any file."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

Signature = tuple[tuple[str, int, int, int, int], ...]
"""Path, inode, size, modification and change time of everything there is."""


def signature(directories: Iterable[Path]) -> Signature:
    """Return the signature of all that lies below `directories`; links are followed, as when files are read."""
    entries: set[tuple[str, int, int, int, int]] = set()
    for directory in directories:
        entries.update(_walk(str(directory), frozenset()))
    return tuple(sorted(entries))


def _walk(path: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield what is at `path` and below. What vanishes while we look is simply not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a hot loop of plain strings)
        yield path, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
        here = (status.st_dev, status.st_ino)
        if here in above:  # a symbolic link that leads back up
            return
        with os.scandir(path) as entries:
            names = [entry.name for entry in entries]
    except OSError:
        return
    for name in names:
        yield from _walk(f"{path}/{name}", above | {here})
