"""A copy of a data directory as a tar archive, written and read in one pass.

    registry.db, small files, blobs/…, format

`format` comes last: an archive without it is incomplete, and so is a directory into which it was unpacked by hand.
"""

import gzip
import io
import re
import tarfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from simple_registry.faults import DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import ALGORITHMS, Digest
from simple_registry.storage.filesystem.checked_reader import CheckedReader
from simple_registry.storage.filesystem.data_directory import MARKER
from simple_registry.storage.filesystem.disk import NAMED_FILE, PRIVATE_DIRECTORY, PRIVATE_FILE, fault_of
from simple_registry.storage.filesystem.file_reader import READ_BYTES
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.records import ContentRecord
from simple_registry.tar_headers import Member, TarInvalid, read_member

DATABASE, FORMAT = "registry.db", "format"

MAX_SMALL = 1024 * 1024
"""Bytes of the largest file that is neither content nor the database."""

_CONTENT = re.compile(r"blobs/([a-z0-9]+)/([0-9a-f]{2})/([0-9a-f]+)", re.ASCII)
_SMALL = re.compile(r"[a-z-]+(\.json|\.hash)?|documents(/(?!\.)[^/\0]+)+", re.ASCII)
_GZIP = b"\x1f\x8b"


class ArchiveCopy:
    """Writes a data directory as an archive. Content that is not whole has its full size in it; a reader notices."""

    def __init__(self, stream: BinaryIO, layout: Layout) -> None:
        """Write to `stream`, with the names of `layout`."""
        self._stream = stream
        self._layout = layout
        output = cast("BinaryIO", _Output(stream))  # in this mode it is only written to
        self._tar = tarfile.open(fileobj=output, mode="w|", bufsize=READ_BYTES)  # noqa: SIM115 (closed by `finish`)
        for directory in layout.directories():
            self._add(layout.relative(directory), 0, PRIVATE_DIRECTORY)

    def write_database(self, path: Path) -> None:
        """Write the copied database at `path`."""
        with path.open("rb") as file:
            self._add(DATABASE, path.stat().st_size, PRIVATE_FILE, file)

    def write_file(self, path: str, data: bytes) -> None:
        """Write a small file. Raises: StorageFault if none of that size is read again."""
        if len(data) > MAX_SMALL:
            raise StorageFault("write the archive", f"{path} has {len(data)} bytes; up to {MAX_SMALL} can be restored")
        self._add(path, len(data), PRIVATE_FILE, io.BytesIO(data))

    def link_content(self, record: ContentRecord) -> bool:  # noqa: ARG002 (an archive has no previous one)
        """Return `False`: content is always written."""
        return False

    def write_content(self, record: ContentRecord, reader: CheckedReader) -> str | None:
        """Write content. Return what is wrong with it, if anything."""
        self._add(self._layout.relative(self._layout.blob(record.digest)), record.size, NAMED_FILE, reader)
        return reader.damage()

    def finish(self) -> None:
        """Write the last entry and the end of the archive."""
        self.write_file(FORMAT, MARKER)
        with _writing():
            self._tar.close()
            self._stream.flush()

    def _add(self, name: str, size: int, mode: int, file: IO[bytes] | CheckedReader | None = None) -> None:
        entry = tarfile.TarInfo(name)
        entry.type = tarfile.DIRTYPE if file is None else tarfile.REGTYPE
        entry.size, entry.mode, entry.mtime = size, mode, int(time.time())
        with _writing():
            self._tar.addfile(entry, file)


class _Output:
    """What a tar archive writes to. An archive that was given up writes once more when it is deallocated."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._failed = False

    def write(self, data: bytes) -> None:
        if self._failed or self._stream.closed:
            return
        try:
            self._stream.write(data)
        except OSError:
            self._failed = True
            raise


@contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise fault_of(error)("write the archive", error) from error


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of an archive, while it is the next one: content (`digest`), the database, or a small file."""

    path: str
    size: int
    digest: Digest | None
    read: Callable[[int], bytes]


def entries(stream: BinaryIO, name: str) -> Iterator[Entry]:
    """Yield the files of the archive `name`, which may be compressed with gzip, each to be read before the next.

    Raises: DataDirectoryRefused for what `ArchiveCopy` did not write, or did not finish.
    """
    path = ""
    with _faults(name), _uncompressed(stream) as source:
        while (member := read_member(source.read)) is not None:
            path = member.name.removeprefix("./").rstrip("/")
            rest = _Rest(source, member)
            if not member.directory:
                yield Entry(path, member.size, _accepted(member, path, name), rest.reading(name))
            rest.skip()
    if path != FORMAT:
        raise DataDirectoryRefused(name, "it was not finished; use another backup")


def _accepted(member: Member, path: str, name: str) -> Digest | None:
    """Return the digest of content. Raises: DataDirectoryRefused for what is in no archive."""
    digest = _digest(path)
    if not member.regular or (digest is None and path != DATABASE and _SMALL.fullmatch(path) is None):
        raise DataDirectoryRefused(
            name, f"it holds {path[:160]!r}; give an archive that 'simple-registry backup' wrote"
        )
    if digest is None and path != DATABASE and member.size > MAX_SMALL:
        raise DataDirectoryRefused(name, f"{path[:160]!r} has {member.size} bytes; a small file has up to {MAX_SMALL}")
    return digest


class _Rest:
    """The bytes of one member that were not read yet."""

    def __init__(self, source: IO[bytes], member: Member) -> None:
        self._source = source
        self._size = member.size
        self._padding = member.stored - member.size

    def reading(self, name: str) -> Callable[[int], bytes]:
        """Return a function that reads at most so many of the next bytes of the file, and none at its end."""

        def read(size: int) -> bytes:
            with _faults(name):
                return self._read(size)

        return read

    def skip(self) -> None:
        while self._read(READ_BYTES):
            pass
        if len(self._source.read(self._padding)) < self._padding:
            raise EOFError("it ends within a file")

    def _read(self, size: int) -> bytes:
        wanted = min(size, self._size)
        data = self._source.read(wanted)
        if len(data) < wanted:
            raise EOFError("it ends within a file")
        self._size -= wanted
        return data


@contextmanager
def _uncompressed(stream: BinaryIO) -> Iterator[IO[bytes]]:
    """Read the bytes of a tar archive."""
    source = io.BufferedReader(cast("io.RawIOBase", stream), READ_BYTES)
    try:
        if source.peek(len(_GZIP)).startswith(_GZIP):
            with gzip.GzipFile(fileobj=source) as uncompressed:
                yield cast("IO[bytes]", uncompressed)
        else:
            yield source
    finally:
        source.detach()  # the caller closes the stream


@contextmanager
def _faults(name: str) -> Iterator[None]:
    """Turn errors of the archive `name` into faults."""
    try:
        yield
    except (TarInvalid, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataDirectoryRefused(name, f"it is not a whole archive ({error}); use another backup") from error
    except OSError as error:
        raise StorageFault("read the archive", error) from error


def _digest(path: str) -> Digest | None:
    """Return the digest of content, from the path that it has in an archive."""
    match = _CONTENT.fullmatch(path)
    if match is None or ALGORITHMS.get(match[1]) != len(match[3]) or not match[3].startswith(match[2]):
        return None
    return Digest(match[1], match[3])
