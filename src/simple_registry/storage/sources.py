"""Stores of other programs, as they are moved into this registry: read, never changed.

A `Source` is a data directory of another registry. A `LayoutSource` is one OCI layout: a directory or an archive. All
methods wait for a disk, and all that they return may be wrong: digests are compared by the operations.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from simple_registry.content import ByteStream, Content, LocalFile
from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import Placed


class Transfer(StrEnum):
    """How the bytes of a file come into the content store."""

    AUTO = "auto"
    """Shared by the file system where it can (a reflink), otherwise copied."""
    REFLINK = "reflink"
    LINK = "link"
    """A second name of the same file, which must then never be changed under its first one."""
    COPY = "copy"


class SourceInvalid(StorageFault):
    """A directory or archive is not what it should be; the message says where and why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"use {path}", reason)
        self.reason = reason


class BytesDiffer(StorageFault):
    """The bytes of a file are not those of its digest."""

    def __init__(self, path: str, actual: Digest) -> None:
        super().__init__(f"use {path}", f"its bytes hash to {actual}")


@dataclass(frozen=True, slots=True)
class SourceDefect:
    """Something in a source that cannot be used. `path` is below the source."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class SourceRepository:
    """What a repository of another registry serves, by its own files.

    Content may be missing, and so may the manifest that a tag points at. `uploads` is the number of unfinished uploads,
    which are not moved.
    """

    name: RepositoryName
    blobs: Sequence[Digest]
    manifests: Sequence[Digest]
    tags: Mapping[Tag, Digest]
    uploads: int = 0
    defects: Sequence[SourceDefect] = field(default=())


class Source(Protocol):
    """The data directory of another registry."""

    @property
    def format(self) -> str:
        """The kind of registry, as `adopt -from` names it."""

    def repositories(self) -> Iterator[SourceRepository | SourceDefect]:
        """Yield the repositories, in order of their names."""

    def find(self, repository: RepositoryName, digest: Digest) -> LocalFile | None:
        """Return the file of content that a repository holds, or `None`."""


class FileAdoption(Protocol):
    """Takes files of this machine into the content store, without a stream of their bytes."""

    async def adopt(self, file: LocalFile, digest: Digest, transfer: Transfer) -> Placed:
        """Make the bytes of a file, which must be those of `digest`, durable in the content store. Return their place.

        Raises: BytesDiffer; StorageFault when the file cannot be read, or not be transferred in this way.
        """


class LayoutContent(Protocol):
    """The content of an OCI layout, which can be read in any order."""

    async def open(self, digest: Digest) -> Content | None:
        """Return content, or `None` if the layout lacks it."""


class LayoutSource(LayoutContent, Protocol):
    """An OCI layout with its index."""

    async def index(self) -> bytes:
        """Return its index.json. Raises: SourceInvalid."""


class LayoutStream(Protocol):
    """An archive of an OCI layout that can be read once, from its beginning to its end."""

    def entries(self) -> AsyncIterator[tuple[str, int, ByteStream]]:
        """Yield the path, size and bytes of each file of the layout. Bytes that are not read are skipped.

        Raises: SourceInvalid.
        """


class LayoutTarget(Protocol):
    """An OCI layout that is being written."""

    @property
    def index_first(self) -> bool:
        """Whether the index.json comes before the content: in an archive, so that it can be read as it arrives.

        In a directory it comes last, so that a layout with an index.json is complete.
        """

    async def has(self, path: str, size: int) -> bool:
        """Return whether an earlier attempt has written this file."""

    async def add(self, path: str, size: int, stream: ByteStream) -> None:
        """Write one file. In a directory it is there only when the stream has ended without an error.

        Raises: StorageFault, and what the stream raises.
        """
