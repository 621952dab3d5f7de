"""Processes that use a directory of another registry, as far as the system shows.

A registry that is idle has none of its files open. So a process counts, too, if a path in its arguments, its variables,
or a configuration file among its arguments leads to the directory, and its name is that of a registry. Paths are
looked up in the process's own root, which is another one in a container.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_REGISTRY = re.compile(rb"registry|zot")
_PATH = re.compile(rb"/[^\0\s\"'=:,;{}\[\]()<>]+")
_MAX_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class User:
    """A process, and why it is taken for a user of the directory."""

    process: int
    name: str
    reason: str


def users_of(directory: Path) -> list[User]:
    """Return the processes that use a directory, without this one and its ancestors."""
    status = directory.stat()
    wanted = (status.st_dev, status.st_ino)
    own = set(_lineage())
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and int(entry.name) not in own:
            reason = _reason(entry, wanted)
            if reason is not None:
                found.append(User(int(entry.name), _read(entry / "comm").decode(errors="replace").strip(), reason))
    return found


def _lineage() -> Iterator[int]:
    """Yield this process and its ancestors, whose arguments name the directory, too."""
    process = os.getpid()
    while process > 0:
        yield process
        fields = _read(_PROC / str(process) / "stat").rpartition(b")")[2].split()
        process = int(fields[1]) if fields else 0


def _reason(process: Path, wanted: tuple[int, int]) -> str | None:
    if any(_leads_to(process, path, wanted, inside=True) for path in _open_files(process, wanted[0])):
        return "it has files open there"
    arguments = _read(process / "cmdline").split(b"\0")
    if not _REGISTRY.search(os.path.basename(arguments[0])):
        return None
    if any(_leads_to(process, path, wanted) for path in _named(process, arguments)):
        return "its arguments or its configuration name the directory"
    return None


def _named(process: Path, arguments: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the paths that a process was told of."""
    directory = _link(process / "cwd")
    for word in arguments:
        for text in (word, word.rpartition(b"=")[2]):
            path = os.path.join(directory, text)
            yield path
            if text.endswith((b".yml", b".yaml", b".json", b".toml")):
                yield from _PATH.findall(_read(_inside(process, path)))
    yield from _PATH.findall(_read(process / "environ"))


def _open_files(process: Path, device: int) -> Iterator[bytes]:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            if descriptor.stat().st_dev == device:
                yield os.fsencode(os.readlink(descriptor))
        except OSError:
            continue


def _leads_to(process: Path, path: bytes, wanted: tuple[int, int], *, inside: bool = False) -> bool:
    """Return whether a path of a process is the directory; with `inside`, or leads through it."""
    place = Path(os.fsdecode(path))
    for each in (place, *place.parents) if inside else (place,):
        try:
            status = _inside(process, os.fsencode(each)).stat()
        except (OSError, ValueError):
            continue
        if (status.st_dev, status.st_ino) == wanted:
            return True
    return False


def _inside(process: Path, path: bytes) -> Path:
    """Return a path of a process as one of ours."""
    return process / "root" / os.fsdecode(path.lstrip(b"/"))


def _link(path: Path) -> bytes:
    try:
        return os.fsencode(os.readlink(path))
    except OSError:
        return b"/"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES)
    except OSError:
        return b""
