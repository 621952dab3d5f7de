"""What differs when documents do, without reading any: the identity, size and times of each file that is one."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from simple_registry.files import FileStamp

Signature = tuple[tuple[str, FileStamp], ...]
"""Path and stamp of each document and directory. A directory has no times in it: other files may come and go."""

SUFFIXES = (".yaml", ".yml")


def is_hidden(name: str) -> bool:
    """Return whether a file or folder of this name is left out, as are the `..data` folders of mounted volumes."""
    return name.startswith(".")


def signature(directories: Iterable[Path]) -> Signature:
    """Return the signature of the documents below `directories`; links are followed, as when they are read.

    Other files may change as they like: a document beside a file that is written all the time comes to rest.
    """
    entries: set[tuple[str, FileStamp]] = set()
    for directory in directories:
        entries.update(_walk(str(directory), frozenset()))
    return tuple(sorted(entries))


def directories_of(found: Signature) -> Iterable[str]:
    """Return the directories in a signature."""
    return (path for path, stamp in found if stamp.changed == 0)


def _walk(path: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, FileStamp]]:
    """Yield what is at `path` and below. What vanishes while we look is simply not there."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a hot loop of plain strings)
        with os.scandir(path) as found:
            entries = [entry for entry in found if not is_hidden(entry.name)]
    except OSError:
        return
    yield path, FileStamp(status.st_dev, status.st_ino, 0, 0, 0)
    here = (status.st_dev, status.st_ino)
    if here in above:  # a symbolic link that leads back up
        return
    for entry in entries:
        try:
            if entry.is_dir():
                yield from _walk(entry.path, above | {here})
            elif entry.name.endswith(SUFFIXES):
                yield entry.path, FileStamp.of(os.stat(entry.path))  # noqa: PTH116 (as above)
        except OSError:
            continue
