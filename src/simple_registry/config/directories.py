"""The files with documents below the given directories, and a signature that differs when they change.

Hidden files and directories are omitted, also the `..data` directories of mounted volumes. Links are followed.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from simple_registry.config.values import ConfigError
from simple_registry.files import FileStamp

Signature = tuple[tuple[str, FileStamp], ...]
"""Path and stamp of each document and directory. That of a directory has no times: other files may come and go."""

_SUFFIXES = (".yaml", ".yml")


def document_files(directories: Iterable[Path]) -> list[Path]:
    """Return the YAML files below each directory, sorted.

    Raises: ConfigError.
    """
    files: dict[str, Path] = {}
    for directory in directories:
        _require_directory(directory)
        for file in _files(directory, frozenset()):
            files.setdefault(os.path.realpath(file), file)  # a file below two given directories counts once
    return list(files.values())


def signature(directories: Iterable[Path]) -> Signature:
    """Return the signature of the documents below `directories`; nothing is read.

    Other files have no influence, even one in the same directory that is written all the time.
    """
    entries: set[tuple[str, FileStamp]] = set()
    for directory in directories:
        entries.update(_entries(str(directory), frozenset()))
    return tuple(sorted(entries))


def directories_of(found: Signature) -> Iterable[str]:
    """Return the directories in a signature."""
    return (path for path, stamp in found if stamp.changed == 0)


def _require_directory(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        raise ConfigError(f"-cfgdir {path}: this directory does not exist") from None
    except OSError as error:
        raise ConfigError(f"-cfgdir {path}: {error.strerror}") from error
    if not stat.S_ISDIR(mode):
        raise ConfigError(f"-cfgdir {path}: this is not a directory")


def _files(directory: Path, above: frozenset[str]) -> Iterator[Path]:
    here = os.path.realpath(directory)  # unlike `Path.resolve`, it takes a link to itself, which cannot be read
    if here in above:  # a symbolic link that leads back up
        return
    try:
        visible = sorted(entry for entry in directory.iterdir() if not entry.name.startswith("."))
        entries = [(entry, entry.is_dir()) for entry in visible]
    except OSError as error:
        raise ConfigError(f"cannot read the directory {directory}: {error.strerror}") from error
    for entry, is_directory in entries:
        if is_directory:
            yield from _files(entry, above | {here})
        elif entry.name.endswith(_SUFFIXES):
            yield entry


def _entries(path: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, FileStamp]]:
    """Yield the entries of a signature for `path` and below, without those that vanish meanwhile."""
    try:
        status = os.stat(path)  # noqa: PTH116 (a hot loop of plain strings)
        with os.scandir(path) as found:
            entries = [entry for entry in found if not entry.name.startswith(".")]
    except OSError:
        return
    yield path, FileStamp(status.st_dev, status.st_ino, 0, 0, 0)
    here = (status.st_dev, status.st_ino)
    if here in above:  # a symbolic link that leads back up
        return
    for entry in entries:
        try:
            if entry.is_dir():
                yield from _entries(entry.path, above | {here})
            elif entry.name.endswith(_SUFFIXES):
                yield entry.path, FileStamp.of(os.stat(entry.path))  # noqa: PTH116 (as above)
        except OSError:
            continue
