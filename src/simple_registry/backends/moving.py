"""What commands move content from and to: OCI layouts, and data directories of other registries."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import BinaryIO

from simple_registry.files import is_directory
from simple_registry.storage.foreign.detection import KINDS, open_source
from simple_registry.storage.foreign.layout_archive import LayoutArchive, LayoutPipe
from simple_registry.storage.foreign.layout_directory import LayoutDirectory
from simple_registry.storage.foreign.layout_writers import ArchiveWriter, DirectoryWriter, new_archive
from simple_registry.storage.foreign.users import User, users_of
from simple_registry.storage.sources import LayoutSource, LayoutStream, LayoutTarget

__all__ = ["KINDS", "STREAM", "User", "open_layout", "open_pipe", "open_source", "open_target", "users_of"]

STREAM = "-"
"""Standard input or output in the place of a path."""


@contextmanager
def open_layout(path: Path) -> Iterator[LayoutSource]:
    """Open a layout in a directory or a tar file, for the block.

    Raises: SourceInvalid.
    """
    if is_directory(path):
        yield LayoutDirectory(path)
        return
    archive = LayoutArchive(path)
    try:
        yield archive
    finally:
        archive.close()


def open_pipe(pipe: BinaryIO) -> LayoutStream:
    """Return the layout in the tar archive that arrives through a pipe."""
    return LayoutPipe(pipe, "standard input")


@asynccontextmanager
async def open_target(text: str, pipe: BinaryIO) -> AsyncIterator[LayoutTarget]:
    """Write a layout for the block: to `pipe`, into a file whose name ends in `.tar`, or into a directory.

    Raises: SourceInvalid, StorageFault.
    """
    if text == STREAM:
        writer = ArchiveWriter(pipe, "standard output")
        yield writer
        await writer.finish()
    elif text.endswith(".tar"):
        async with new_archive(Path(text)) as archive:
            yield archive
    else:
        yield DirectoryWriter(Path(text))
