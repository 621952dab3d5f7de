"""OCI layouts in directories: one, or a tree with one for each repository, as zot keeps them."""

from collections.abc import Iterator, Sequence, Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from simple_registry.content import Content, LocalFile
from simple_registry.oci import media_types
from simple_registry.oci.descriptors import Descriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import ManifestInvalid, NameInvalid
from simple_registry.oci.layouts import (
    INDEX,
    MARKER,
    MAX_INDEX_BYTES,
    Entry,
    LayoutInvalid,
    blob_path,
    parse_index,
    parse_name,
)
from simple_registry.oci.manifests import parse_manifest
from simple_registry.oci.names import RepositoryName, Tag, parse_repository_name
from simple_registry.storage.foreign import trees
from simple_registry.storage.sources import SourceDefect, SourceInvalid, SourceRepository

MAX_INDEX_MANIFEST = 4 * 1024 * 1024
"""Bytes of an index among the manifests, which is read to find its children."""


class LayoutDirectory:
    """A layout in a directory."""

    def __init__(self, root: Path) -> None:
        self.root = root

    async def index(self) -> bytes:
        """Return its index.json. Raises: SourceInvalid."""
        return self.read_index()

    async def open(self, digest: Digest) -> Content | None:
        """Return content, or `None`."""
        return self.find(digest)

    def read_index(self) -> bytes:
        """Return its index.json. Raises: SourceInvalid."""
        data = trees.read_file(self.root / INDEX, MAX_INDEX_BYTES)
        if data is None:
            raise SourceInvalid(str(self.root), f"it is no OCI layout: it has no {INDEX}")
        return data

    def find(self, digest: Digest) -> LocalFile | None:
        """Return the file of content, or `None`."""
        return trees.find_file(self.root / blob_path(digest))


def is_layout(path: Path) -> bool:
    """Return whether a directory is a layout."""
    return trees.find_file(path / MARKER) is not None or trees.find_file(path / INDEX) is not None


@dataclass(frozen=True, slots=True)
class LayoutTree:
    """A layout for each repository, in the directory with its name below `base`."""

    format: str
    base: Path

    def repositories(self) -> Iterator[SourceRepository | SourceDefect]:
        """Yield the repositories, in order of their names."""
        for directory in trees.below(self.base, lambda parent: ("blobs",) if is_layout(parent) else ()):
            if is_layout(directory):
                yield self._repository(directory)

    def find(self, repository: RepositoryName, digest: Digest) -> LocalFile | None:
        """Return the file of content that a repository holds."""
        return LayoutDirectory(self.base / repository).find(digest)

    def _repository(self, directory: Path) -> SourceRepository | SourceDefect:
        text = str(directory.relative_to(self.base))
        layout = LayoutDirectory(directory)
        try:
            name = parse_repository_name(text)
            entries = parse_index(layout.read_index())
        except NameInvalid:
            return SourceDefect(text, "it is not a valid name of a repository")
        except (SourceInvalid, LayoutInvalid) as error:
            return SourceDefect(text, error.reason if isinstance(error, SourceInvalid) else str(error))
        defects: list[SourceDefect] = []
        tags = dict(_tags(text, entries, defects))
        manifests = _with_children(layout, entries)
        blobs = [digest for digest, _ in trees.digests(directory / "blobs") if digest not in manifests]
        uploads = len(trees.files(directory / ".uploads"))
        return SourceRepository(name, blobs, sorted(manifests), tags, uploads, defects)


def _tags(where: str, entries: Sequence[Entry], defects: list[SourceDefect]) -> Iterator[tuple[Tag, Digest]]:
    for entry in entries:
        try:
            tag = parse_name(entry.name).tag
        except LayoutInvalid as error:
            defects.append(SourceDefect(f"{where}/{INDEX}", str(error)))
        else:
            if tag is not None:
                yield tag, entry.descriptor.digest


def _with_children(layout: LayoutDirectory, entries: Sequence[Entry]) -> AbstractSet[Digest]:
    """Return the manifests of the entries and the children of indexes, at any depth."""
    found: set[Digest] = set()
    unseen = [entry.descriptor for entry in reversed(entries)]
    while unseen:
        descriptor = unseen.pop()
        if descriptor.digest in found or descriptor.media_type not in media_types.MANIFESTS:
            continue
        found.add(descriptor.digest)
        if descriptor.media_type in media_types.IMAGE_INDEXES:
            unseen += _children(layout, descriptor.digest, descriptor.media_type)
    return found


def _children(layout: LayoutDirectory, digest: Digest, media_type: str) -> Sequence[Descriptor]:
    """Return the children of an index; none of one that cannot be read, which is reported when it is moved."""
    try:
        data = trees.read_file(layout.root / blob_path(digest), MAX_INDEX_MANIFEST)
        return () if data is None else parse_manifest(data, media_type).children
    except (SourceInvalid, ManifestInvalid):
        return ()
