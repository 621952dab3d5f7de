"""The headers of tar archives (POSIX ustar and pax, GNU), read one file after another and within bounds.

Only what a layout needs is read: names, sizes and kinds. Nothing is extracted, so a name is only compared.
"""

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

BLOCK = 512
"""Bytes of a header; files are filled up to a multiple of it."""

MAX_EXTENSION_BYTES = 64 * 1024
"""Bytes of an extended header, which is read into memory; it holds a name and some numbers."""

MAX_SIZE = 2**63 - 1

Read = Callable[[int], bytes]
"""Returns the next bytes of an archive: as many as were asked for, fewer only at its end."""

_RECORD = re.compile(rb"([0-9]{1,7}) ([a-zA-Z0-9_.]+)=", re.ASCII)
_EXTENDED = frozenset({tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE})
_EXTENSIONS = _EXTENDED | {tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_LONGNAME}
_REGULAR = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE})
_WITHOUT_BYTES = frozenset(
    {tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE}
)
_COMPRESSED = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"(\xb5": "zstd"}


class TarInvalid(ValueError):
    """What should be a tar archive is none; the message says why."""


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of an archive, whose bytes follow its header."""

    name: str
    size: int
    regular: bool
    directory: bool = False

    @property
    def stored(self) -> int:
        """Bytes before the next header."""
        return self.size + -self.size % BLOCK


def read_member(read: Read) -> Member | None:
    """Return the next entry of an archive, or `None` at its end.

    Raises: TarInvalid.
    """
    name, size = "", None
    while (info := _header(read(BLOCK))) is not None:
        if info.type in _EXTENSIONS:
            data = _extension(info, read)
            if info.type in _EXTENDED:
                name, size = _extended(data, name, size)
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                name = _text(data.rstrip(b"\0"))
            continue
        if info.type == tarfile.GNUTYPE_SPARSE:
            raise TarInvalid(f"{info.name[:200]!r} is a sparse file; write the archive without them")
        stored = 0 if info.type in _WITHOUT_BYTES else info.size if size is None else size
        if not 0 <= stored <= MAX_SIZE:
            raise TarInvalid(f"{info.name[:200]!r} has an impossible size")
        return Member(name or info.name, stored, info.type in _REGULAR, info.isdir())
    return None


def _header(block: bytes) -> tarfile.TarInfo | None:
    if not block or block == bytes(BLOCK):
        return None
    if kind := _COMPRESSED.get(block[:2]):
        raise TarInvalid(f"it is compressed with {kind}; uncompress it first")
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError as error:
        raise TarInvalid(f"it is no tar archive, or a damaged one: {error}") from error


def _extension(info: tarfile.TarInfo, read: Read) -> bytes:
    if not 0 <= info.size <= MAX_EXTENSION_BYTES:
        raise TarInvalid(f"it has an extended header of {info.size} bytes; up to {MAX_EXTENSION_BYTES} are read")
    return read(info.size + -info.size % BLOCK)[: info.size]


def _extended(data: bytes, name: str, size: int | None) -> tuple[str, int | None]:
    """Return the name and size that a pax header gives, or those that it leaves."""
    position = 0
    while found := _RECORD.match(data, position):
        end = position + int(found[1])
        value = data[found.end() : end - 1]
        if end <= found.end() or end > len(data):
            break
        if found[2] == b"path":
            name = _text(value)
        elif found[2] == b"size" and value.isdigit():
            size = int(value[:20])
        position = end
    return name, size


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def header_of(name: str, size: int) -> bytes:
    """Return the header of a regular file with a fixed time, so that equal layouts are equal archives."""
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o644
    return info.tobuf(tarfile.PAX_FORMAT)
