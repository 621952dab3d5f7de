"""Rows in memory for `fsck`. Plain code keeps their rules, so of the defects of rows few can come about here."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.inspection import ContentRow, Defect, RowDefect, Uses
from simple_registry.storage.life import ContentState
from simple_registry.storage.memory.repository import MemoryRepository
from simple_registry.storage.records import ContentRecord, ManifestRow, Part, SessionRow

_T = TypeVar("_T")


class MemoryRowInspection:
    """All rows as they stand, and what mends them; a part of the store in memory."""

    _clock: Clock
    _repositories: dict[RepositoryName, MemoryRepository]
    _contents: dict[Digest, tuple[ContentRecord, ContentState]]
    _sessions: dict[str, SessionRow]

    async def check_database(self, *, thorough: bool) -> Sequence[str]:  # noqa: ARG002 (there is nothing to go through)
        """Return nothing: memory is sound."""
        return []

    def totals(self) -> tuple[int, int]:
        """Return how many contents there are, and their bytes."""
        return len(self._contents), sum(record.size for record, _ in self._contents.values())

    def has_repositories(self) -> bool:
        """Tell whether there is any repository."""
        return bool(self._repositories)

    def page_contents(self, beginning: str, after: Digest | None, limit: int) -> Sequence[ContentRow]:
        """Return contents whose digest begins with `algorithm:xx`, in order, beginning after `after`."""
        found = sorted(digest for digest in self._contents if str(digest).startswith(beginning))
        return [self._content(digest) for digest in found if after is None or digest > after][:limit]

    async def uses(self, digest: Digest, limit: int) -> Uses:
        """Return who would miss this content, up to `limit` of each."""
        holders = sorted(name for name in self._repositories if self._holds(name, digest))[:limit]
        tags = [f"{name}:{tag}" for name in holders for tag in sorted(self._tags_needing(name, digest))]
        return Uses(tuple(holders), tuple(tags[:limit]))

    async def page_defects(self, defect: Defect, after: RowDefect | None, limit: int) -> Sequence[RowDefect]:
        """Return defects of one kind, in order, beginning after `after`."""
        keys = sorted(self._defects(defect))
        later = [key for key in keys if after is None or key > after.key]
        return [RowDefect(defect, *key, key=key) for key in later[:limit]]

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open upload sessions in order of their ids, beginning after `after`."""
        return [self._sessions[session] for session in sorted(self._sessions) if session > after][:limit]

    async def settle(self, digest: Digest, judge: Callable[[ContentRow | None, bool], _T]) -> _T:
        """Return what `judge` says of the row of content, and whether a repository holds it, while nobody writes."""
        row = self._content(digest) if digest in self._contents else None
        return judge(row, any(self._holds(name, digest) for name in self._repositories))

    async def alone(self, act: Callable[[], _T]) -> _T:
        """Return what `act` returns; it is called while nobody writes rows."""
        return act()

    async def adopt(self, content: ContentRecord, *, present: Callable[[], bool]) -> bool:
        """Give content its row, or that row its size and the state whole; what nothing holds is condemned."""
        if not present():
            return False
        held = any(self._holds(name, content.digest) for name in self._repositories)
        self._contents[content.digest] = (content, ContentState.WHOLE if held else ContentState.CONDEMNED)
        return True

    async def restore_manifest(self, tagged: RowDefect, manifest: ManifestRow, *, present: Callable[[], bool]) -> bool:
        """Make a repository hold the manifest that a tag of it points at, if that tag is still there without it."""
        if tagged.key not in set(self._defects(Defect.TAG_WITHOUT_MANIFEST)) or not present():
            return False
        self._contents[manifest.digest] = (manifest.stored.content, ContentState.WHOLE)
        self._keep_manifest(RepositoryName(tagged.repository), manifest)
        return True

    async def mend(self, defect: RowDefect) -> bool:
        """Repair a defect that rows alone can tell how to repair, if it is still there. Returns whether it did."""
        after = {Defect.HELD_AS_UNHELD: ContentState.WHOLE, Defect.UNHELD_AS_HELD: ContentState.CONDEMNED}
        for digest, (record, _) in list(self._contents.items()):
            if (
                defect.defect in after
                and str(digest) == defect.digest
                and defect.key in set(self._defects(defect.defect))
            ):
                self._contents[digest] = (record, after[defect.defect])
                return True
        return False

    def _keep_manifest(self, repository: RepositoryName, manifest: ManifestRow) -> None:
        raise NotImplementedError

    def _content(self, digest: Digest) -> ContentRow:
        record, state = self._contents[digest]
        return ContentRow(digest, record.size, state)

    def _holds(self, name: RepositoryName, digest: Digest) -> bool:
        return self._repositories[name].holds(digest)

    def _tags_needing(self, name: RepositoryName, digest: Digest) -> Iterator[str]:
        """Yield the tags of a repository from which this content is reached."""
        held = self._repositories[name]
        needing, found = {digest}, True
        while found:
            more = {each for each, (row, _) in held.manifests.items() if needing & set(row.children)} - needing
            needing |= more
            found = bool(more)
        yield from (tag for tag, pointed in held.tags.items() if pointed in needing)

    def _defects(self, defect: Defect) -> Iterator[tuple[str, str, str]]:
        """Yield repository, digest and name of each defect of one kind."""
        held = {digest for digest in self._contents if any(self._holds(name, digest) for name in self._repositories)}
        condemned = {digest for digest, (_, state) in self._contents.items() if state is ContentState.CONDEMNED}
        match defect:
            case Defect.HELD_AS_UNHELD:
                yield from (("", str(digest), "") for digest in held & condemned)
            case Defect.UNHELD_AS_HELD:
                yield from (("", str(digest), "") for digest in self._contents.keys() - held - condemned)
        for name, at in self._repositories.items():
            match defect:
                case Defect.TAG_WITHOUT_MANIFEST:
                    yield from ((name, str(to), tag) for tag, to in at.tags.items() if to not in at.manifests)
                case Defect.BLOB_WITHOUT_CONTENT:
                    yield from ((name, str(digest), "") for digest in at.blobs if digest not in self._contents)
                case Defect.MANIFEST_WITHOUT_CONTENT:
                    yield from ((name, str(digest), "") for digest in at.manifests if digest not in self._contents)
                case Defect.PART_MISSING:
                    parts = ((row.digest, part) for row in at.listed for part in row.children)
                    lacking = (each for each in parts if not at.has_part(Part.CHILD, each[1]))
                    yield from ((name, str(digest), str(part)) for digest, part in lacking)
