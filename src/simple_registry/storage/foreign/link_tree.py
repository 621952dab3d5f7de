"""The data directories of docker-registry (distribution) and of the Go Simple Registry: repositories as trees of links.

    blobs/<algorithm>/<2 hex>/<hex>                          content; distribution has it in a file `data` below that
    repositories/<name>/_layers/<algorithm>/<hex>/link       the repository holds this blob
    repositories/<name>/_manifests/revisions/<algorithm>/<hex>/link   it holds this manifest
    repositories/<name>/_manifests/tags/<tag>/current/link   where the tag points
    repositories/<name>/_uploads/<id>                        an unfinished upload

A `link` is a file that holds a digest. What was deleted has lost its link.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simple_registry.content import LocalFile
from simple_registry.oci.digests import Digest, parse_digest
from simple_registry.oci.errors import DigestInvalid, NameInvalid, TagInvalid
from simple_registry.oci.names import RepositoryName, Tag, parse_repository_name, parse_tag
from simple_registry.storage.foreign import trees
from simple_registry.storage.sources import SourceDefect, SourceInvalid, SourceRepository

MAX_LINK_BYTES = 256
"""A link holds a digest, of which the longest has 135."""


@dataclass(frozen=True, slots=True)
class LinkTree:
    """A tree of links below `base`.

    `data_name` is the name of the file below the directory of a digest, empty where the digest names the file. With
    `tags_suffice`, a tag serves its manifest even if that was deleted by its digest, as in the Go Simple Registry.
    """

    format: str
    base: Path
    data_name: str = ""
    tags_suffice: bool = False

    def repositories(self) -> Iterator[SourceRepository | SourceDefect]:
        """Yield the repositories, in order of their names."""
        for directory in trees.below(self.base / "repositories", lambda _: ()):
            if trees.is_directory(directory / "_manifests") or trees.is_directory(directory / "_layers"):
                yield self._repository(directory)

    def find(self, repository: RepositoryName, digest: Digest) -> LocalFile | None:  # noqa: ARG002 (shared by all)
        """Return the file of content."""
        directory = self.base / "blobs" / digest.algorithm / digest.encoded[:2]
        return trees.find_file(directory / digest.encoded / self.data_name)

    def _repository(self, directory: Path) -> SourceRepository | SourceDefect:
        text = str(directory.relative_to(self.base / "repositories"))
        try:
            name = parse_repository_name(text)
        except NameInvalid:
            return SourceDefect(self._shown(directory), "it is not a valid name of a repository")
        defects: list[SourceDefect] = []
        blobs = set(self._links(directory / "_layers", defects))
        manifests = set(self._links(directory / "_manifests" / "revisions", defects))
        tags = dict(self._tags(directory / "_manifests" / "tags", defects))
        for tag, digest in list(tags.items()):
            if digest in manifests:
                continue
            if self.tags_suffice or digest in blobs:  # distribution once linked manifests into _layers, and reads both
                manifests.add(digest)
            else:
                del tags[tag]
                defects.append(SourceDefect(f"{name}:{tag}", f"it points at {digest}, which was deleted"))
        uploads = len(trees.directories(directory / "_uploads"))
        return SourceRepository(name, sorted(blobs), sorted(manifests), tags, uploads, defects)

    def _links(self, directory: Path, defects: list[SourceDefect]) -> Iterator[Digest]:
        for digest, path in trees.digests(directory):
            target = self._link(path / "link", defects)
            if target is None:
                continue
            if target == digest:
                yield digest
            else:
                defects.append(SourceDefect(self._shown(path / "link"), f"it names another digest, {target}"))

    def _tags(self, directory: Path, defects: list[SourceDefect]) -> Iterator[tuple[Tag, Digest]]:
        for name in trees.directories(directory):
            target = self._link(directory / name / "current" / "link", defects)
            if target is None:
                continue
            try:
                yield parse_tag(name), target
            except TagInvalid:
                defects.append(SourceDefect(self._shown(directory / name), "it is not a valid tag"))

    def _link(self, path: Path, defects: list[SourceDefect]) -> Digest | None:
        """Return the digest in a link; `None` if there is no link, or, as a defect, no digest in it."""
        try:
            data = trees.read_file(path, MAX_LINK_BYTES)
            return None if data is None else parse_digest(data.decode("ascii", "replace").strip())
        except DigestInvalid:
            defects.append(SourceDefect(self._shown(path), "it holds no digest"))
        except SourceInvalid as fault:
            defects.append(SourceDefect(self._shown(path), fault.reason))
        return None

    def _shown(self, path: Path) -> str:
        return str(path.relative_to(self.base))
