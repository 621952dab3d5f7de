"""OCI layouts in tar archives: files, read in any order, and streams, read once from their beginning to their end.

Entries with other names than those of a layout are skipped: nothing is extracted.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from simple_registry.content import ByteStream, Content, Span, read_exactly
from simple_registry.files import open_regular
from simple_registry.oci.digests import Digest
from simple_registry.oci.layouts import INDEX, MAX_INDEX_BYTES, blob_path, parse_blob_path
from simple_registry.storage.sources import SourceInvalid
from simple_registry.tar_headers import Member, TarInvalid, read_member

PIECE = 1024 * 1024
MAX_MEMBERS = 1_000_000
"""Files of a layout in one archive, whose places are kept in memory."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Content that is part of an open file."""

    file: BinaryIO
    start: int
    size: int
    url: None = field(default=None, init=False)
    stamp: str = field(default="", init=False)

    @property
    def version(self) -> Hashable:
        return self.start

    async def read(self) -> bytes:
        return await asyncio.to_thread(read_exactly, self.file.fileno(), self.start, self.size)

    async def feed(self, take: Callable[[bytes], None]) -> None:
        async for piece in self.stream(Span(0, self.size)):
            take(piece)

    async def stream(self, span: Span) -> AsyncGenerator[bytes, None]:
        for position in range(span.start, span.stop, PIECE):
            size = min(PIECE, span.stop - position)
            yield await asyncio.to_thread(read_exactly, self.file.fileno(), self.start + position, size)


class LayoutArchive:
    """A layout in a tar file. `close` closes the file."""

    def __init__(self, path: Path) -> None:
        """Open the archive, and find its files by reading their headers.

        Raises: SourceInvalid.
        """
        self._path = path
        try:
            self._file = open_regular(path)
        except OSError as error:
            raise SourceInvalid(str(path), error.strerror or str(error)) from error
        try:
            self._parts: Mapping[str, _Part] = self._scan()
        except BaseException:
            self._file.close()
            raise

    async def index(self) -> bytes:
        """Return its index.json. Raises: SourceInvalid."""
        part = self._parts.get(INDEX)
        if part is None:
            raise SourceInvalid(str(self._path), f"it is no OCI layout: it has no {INDEX}")
        if part.size > MAX_INDEX_BYTES:
            raise SourceInvalid(str(self._path), f"its {INDEX} has {part.size} bytes; up to {MAX_INDEX_BYTES} are read")
        return await part.read()

    async def open(self, digest: Digest) -> Content | None:
        """Return content, or `None`."""
        return self._parts.get(blob_path(digest))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _scan(self) -> dict[str, _Part]:
        end = os.fstat(self._file.fileno()).st_size
        found: dict[str, _Part] = {}
        try:
            while (member := read_member(self._file.read)) is not None:
                start = self._file.tell()
                if start + member.size > end:
                    raise SourceInvalid(str(self._path), f"it ends within {member.name[:200]!r}")
                if (name := _layout_name(member)) is not None:
                    found[name] = _Part(self._file, start, member.size)
                if len(found) > MAX_MEMBERS:
                    raise SourceInvalid(str(self._path), f"it has more than {MAX_MEMBERS:,} files")
                self._file.seek(start + member.stored)
        except TarInvalid as error:
            raise SourceInvalid(str(self._path), str(error)) from error
        return found


class LayoutPipe:
    """A layout in a tar archive that arrives through a pipe."""

    def __init__(self, pipe: BinaryIO, name: str) -> None:
        """Read from `pipe`, which errors call `name`."""
        self._pipe = pipe
        self._name = name

    async def entries(self) -> AsyncIterator[tuple[str, int, ByteStream]]:
        """Yield the path, size and bytes of each file of the layout. Bytes that are not read are skipped.

        Raises: SourceInvalid.
        """
        while (member := await asyncio.to_thread(self._next)) is not None:
            rest = _Rest(self._pipe, member, self._name)
            if (name := _layout_name(member)) is not None:
                yield name, member.size, rest.stream()
            await rest.skip()

    def _next(self) -> Member | None:
        try:
            return read_member(self._pipe.read)
        except TarInvalid as error:
            raise SourceInvalid(self._name, str(error)) from error


class _Rest:
    """The bytes of one member that were not read yet."""

    def __init__(self, pipe: BinaryIO, member: Member, name: str) -> None:
        self._pipe = pipe
        self._member = member
        self._name = name
        self._read = 0

    async def stream(self) -> ByteStream:
        while self._read < self._member.size:
            yield await self._piece(self._member.size)

    async def skip(self) -> None:
        while self._read < self._member.stored:
            await self._piece(self._member.stored)

    async def _piece(self, end: int) -> bytes:
        data = await asyncio.to_thread(self._pipe.read, min(PIECE, end - self._read))
        if not data:
            raise SourceInvalid(self._name, f"it ends within {self._member.name[:200]!r}")
        self._read += len(data)
        return data


def _layout_name(member: Member) -> str | None:
    """Return the path of a file in its layout, or `None` for what does not belong to one."""
    name = member.name.removeprefix("./")
    return name if member.regular and (name == INDEX or parse_blob_path(name) is not None) else None
