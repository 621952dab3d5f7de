"""OCI layouts that are written: into a directory, or as a tar archive.

A file of a directory gets its final name when it is whole, so an attempt that broke off is continued. An archive is a
stream, which has no second attempt.
"""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from simple_registry.content import ByteStream
from simple_registry.faults import StorageFault
from simple_registry.oci.layouts import INDEX, MARKER
from simple_registry.storage.foreign import trees
from simple_registry.storage.sources import SourceInvalid
from simple_registry.tar_headers import BLOCK, header_of

_PARTIAL = ".partial-"
_OURS = frozenset({MARKER, INDEX, "blobs"})
_MODE = 0o644
_BUFFER = 256 * 1024


class DirectoryWriter:
    """Writes a layout into a directory."""

    index_first = False

    def __init__(self, root: Path) -> None:
        """Write below `root`, which is new, empty, or a layout.

        Raises: SourceInvalid.
        """
        self._root = root
        try:
            root.mkdir(parents=True, exist_ok=True)
            names = [name for name in os.listdir(root) if name not in _OURS and not name.startswith(_PARTIAL)]
        except OSError as error:
            raise SourceInvalid(str(root), error.strerror or str(error)) from error
        if names:
            raise SourceInvalid(str(root), f"it holds something else than an OCI layout: {names[0]!r}")

    async def has(self, path: str, size: int) -> bool:
        """Return whether an earlier attempt has written this file."""
        found = trees.find_file(self._root / path)
        return found is not None and found.size == size

    async def add(self, path: str, size: int, stream: ByteStream) -> None:  # noqa: ARG002 (archives need it)
        """Write one file, durably. Raises: StorageFault, and what the stream raises."""
        partial, target = self._root / f"{_PARTIAL}{uuid.uuid4()}", self._root / path
        with _faults(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            file = _new_file(partial)
        try:
            with file:
                async for data in stream:
                    with _faults(target):
                        await asyncio.to_thread(file.write, data)
                with _faults(target):
                    await asyncio.to_thread(_sync, file)
            with _faults(target):
                _name(partial, target)
        finally:
            partial.unlink(missing_ok=True)


class ArchiveWriter:
    """Writes a layout as a tar archive into a file or pipe, which the caller closes after `finish`."""

    index_first = True

    def __init__(self, file: BinaryIO, name: str) -> None:
        """Write to `file`, which errors call `name`."""
        self._file = file
        self._name = name

    async def has(self, path: str, size: int) -> bool:  # noqa: ARG002 (every archive is new)
        """Return `False`."""
        return False

    async def add(self, path: str, size: int, stream: ByteStream) -> None:
        """Write one file. Raises: StorageFault, and what the stream raises."""
        await self._write(header_of(path, size))
        async for data in stream:
            await self._write(data)
        await self._write(bytes(-size % BLOCK))

    async def finish(self) -> None:
        """Write the end of the archive."""
        await self._write(bytes(2 * BLOCK))
        with _faults(self._name):
            await asyncio.to_thread(self._file.flush)

    async def _write(self, data: bytes) -> None:
        with _faults(self._name):
            await asyncio.to_thread(self._file.write, data)


@asynccontextmanager
async def new_archive(path: Path) -> AsyncIterator[ArchiveWriter]:
    """Write an archive for the block. It replaces a file of this name when the block has ended without an error.

    Raises: StorageFault.
    """
    partial = path.with_name(f"{_PARTIAL}{uuid.uuid4()}")
    with _faults(path):
        file = _new_file(partial)
    try:
        with file:
            writer = ArchiveWriter(file, str(path))
            yield writer
            await writer.finish()
            with _faults(path):
                await asyncio.to_thread(_sync, file)
        with _faults(path):
            _name(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def _new_file(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE), "wb", _BUFFER)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _name(partial: Path, target: Path) -> None:
    """Give a synced file its final name, durably."""
    partial.rename(target)
    fd = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _faults(what: object) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise  # the reader of standard output has exited
    except OSError as error:
        raise StorageFault(f"write {what}", error) from error
