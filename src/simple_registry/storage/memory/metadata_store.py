"""The metadata store in memory: the rows as dictionaries, and the rules of their tables as plain code.

One process, one event loop: nothing here waits, so every method is a transaction. Listings sort what they find, which
is right for tests and trials and nothing larger.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar

from simple_registry.clock import Clock
from simple_registry.faults import SessionBusy
from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.memory.repository import MemoryRepository
from simple_registry.storage.memory.row_inspection import MemoryRowInspection
from simple_registry.storage.memory.token_rows import MemoryTokenRows
from simple_registry.storage.protocols import Rows
from simple_registry.storage.records import (
    Blob,
    BlobAdded,
    ContentRemoved,
    DescribedPart,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    PartsUnmet,
    SessionRow,
    StoredManifest,
    TagAbsent,
    TagRemoved,
    TagsChanged,
    UnmetPart,
)

_Name = TypeVar("_Name", bound=str)


class MemoryMetadataStore(MemoryTokenRows, MemoryRowInspection):
    """All rows."""

    def __init__(self, clock: Clock) -> None:
        """Begin empty; times come from `clock`."""
        super().__init__()
        self._clock = clock
        self._repositories: dict[RepositoryName, MemoryRepository] = {}
        self._sizes: dict[Digest, int] = {}
        self._unheld: dict[Digest, float] = {}
        self._sessions: dict[str, SessionRow] = {}
        self._held: set[str] = set()

    @property
    def rows(self) -> Rows:
        """All of them, by kind."""
        one = self
        return Rows(
            blobs=one,
            manifests=one,
            tags=one,
            repositories=one,
            sessions=one,
            tokens=one,
            contents=one,
            garbage=one,
            check=one.check,
            close=one.close,
        )

    # blobs

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> Blob | None:
        """Return the blob if this repository holds it as a blob."""
        return Blob(digest, self._sizes[digest]) if digest in self._at(repository).blobs else None

    async def known(self, digest: Digest) -> bool:
        """Return whether any row, of any repository or none, vouches for content of this digest."""
        return digest in self._sizes

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold this blob, in order of name, beginning after `after`."""
        return _page((name for name, held in self._repositories.items() if digest in held.blobs), after, limit)

    async def add_blob(
        self, repository: RepositoryName, blob: Blob, *, present: Callable[[bool], bool], session: str | None = None
    ) -> BlobAdded | ContentRemoved:
        """Make the repository hold the blob (and exist), and drop the session's row; already holding it is fine."""
        if not present(blob.digest in self._sizes):
            return ContentRemoved()
        self._hold(repository, blob).blobs.add(blob.digest)
        if session is not None:
            self._sessions.pop(session, None)
        return BlobAdded()

    async def mount_blob(
        self, repository: RepositoryName, digest: Digest, source: RepositoryName, *, present: Callable[[Blob], bool]
    ) -> Blob | None:
        """Make the repository hold a blob that `source` holds in the same moment.

        Returns `None`, and changes nothing, when `source` does not hold it, or when `present` says in the transaction
        that the content is gone.
        """
        blob = await self.find_blob(source, digest)
        if blob is None or not present(blob):
            return None
        self._hold(repository, blob).blobs.add(digest)
        return blob

    async def remove_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Make the repository hold the blob no more. Returns whether it did. The content stays."""
        held = self._at(repository).blobs
        if digest not in held:
            return False
        held.remove(digest)
        self._release(digest)
        return True

    # manifests

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it."""
        row = self._at(repository).manifests.get(digest)
        return None if row is None else row.stored

    async def unmet_parts(
        self, repository: RepositoryName, parts: Sequence[DescribedPart], *, present: Callable[[Blob], bool]
    ) -> Sequence[UnmetPart]:
        """Return the parts that are not in the repository as described, in order; see the protocol for `present`."""
        return self._unmet(repository, parts, present)

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        present: Callable[[bool], bool],
        precondition: Precondition = UNCONDITIONAL,
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | ContentRemoved:
        """Make the repository hold the manifest, and point `tags` at it, all or nothing; repeating it is fine."""
        known = manifest.digest in self._sizes
        if not present(known):
            return ContentRemoved()
        at = self._at(repository)
        before = {tag: at.tags.get(tag) for tag in tags}
        digest = manifest.digest
        named = before.items() or [(digest, digest if digest in at.manifests else None)]
        refusal = precondition.unmet(named) or self._parts_unmet(repository, parts)
        if refusal is not None:
            if not known:
                self._sizes[manifest.digest] = manifest.size
                self._unheld[manifest.digest] = self._clock.now()
            return refusal
        held = self._hold(repository, Blob(manifest.digest, manifest.size))
        held.manifests[manifest.digest] = manifest
        held.tags.update(dict.fromkeys(tags, manifest.digest))
        return ManifestStored(before)

    async def remove_manifest(
        self, repository: RepositoryName, digest: Digest, *, tags: Sequence[Tag]
    ) -> ManifestRemoved | ManifestAbsent | TagsChanged:
        """Remove the manifest from the repository, and `tags`, which must be all that point at it at that moment."""
        held = self._at(repository)
        if digest not in held.manifests:
            return ManifestAbsent()
        if set(await self.tags_of(repository, digest)) != set(tags):
            return TagsChanged()
        del held.manifests[digest]
        for tag in set(tags):
            del held.tags[tag]
        self._release(digest)
        return ManifestRemoved()

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests of the repository with this subject, in order of digest, beginning after `after`."""
        found = sorted(
            (
                row
                for row in self._at(repository).manifests.values()
                if row.subject == subject
                and artifact_type in (None, row.artifact_type)
                and (after is None or str(row.digest) > str(after))
            ),
            key=lambda row: str(row.digest),
        )
        page: list[ReferrerDescriptor] = []
        for row in found:
            size -= len(row.annotations)
            if page and size < 0:
                return page, True
            page.append(_referrer(row))
        return page, False

    # tags

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at."""
        digest = self._at(repository).tags.get(tag)
        return None if digest is None else await self.find_manifest(repository, digest)

    async def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at this manifest."""
        return sorted(tag for tag, pointed in self._at(repository).tags.items() if pointed == digest)

    async def page_tags(self, repository: RepositoryName, after: str | None, limit: int) -> Sequence[Tag]:
        """Return tags in ASCII order, beginning after `after` (which need not exist)."""
        return _page(self._at(repository).tags, after, limit)

    async def remove_tag(
        self, repository: RepositoryName, tag: Tag, *, precondition: Precondition = UNCONDITIONAL
    ) -> TagRemoved | TagAbsent | PreconditionUnmet:
        """Remove this tag only, if it is there and the precondition holds."""
        current = self._at(repository).tags.get(tag)
        if current is None:
            return TagAbsent()
        if not precondition.holds(current):
            return PreconditionUnmet(tag, current)
        return TagRemoved(self._at(repository).tags.pop(tag))

    # repositories

    async def has_repository(self, repository: RepositoryName) -> bool:
        """Tell whether the repository exists."""
        return repository in self._repositories

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold a manifest, in ASCII order, beginning after `after`."""
        return _page((name for name, held in self._repositories.items() if held.manifests), after, limit)

    # sessions

    @asynccontextmanager
    async def hold(self, session: str) -> AsyncIterator[SessionRow | None]:
        """Hold a session, and return its row as of now.

        Raises (on entering): SessionBusy.
        """
        if session in self._held:
            raise SessionBusy(session)
        self._held.add(session)
        try:
            yield self._sessions.get(session)
        finally:
            self._held.remove(session)

    async def add_session(self, row: SessionRow, *, limit: int, share: int) -> bool:
        """Keep a new session, unless `limit` are open, or `share` of the same identity and client."""
        shared = [each for each in self._sessions.values() if _sharer(each) == _sharer(row)]
        if len(self._sessions) >= limit or len(shared) >= share:
            return False
        self._sessions[row.session] = row
        return True

    async def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""
        return self._sessions.get(session)

    async def claim_session(self, session: str) -> SessionRow | None:
        """Begin the next generation of a session, and return its row."""
        row = self._sessions.get(session)
        return None if row is None else self._next_generation(row)

    async def update_session(self, row: SessionRow) -> SessionRow | None:
        """Replace the session's row by `row` in its next generation, if it has the generation that `row` has."""
        current = self._sessions.get(row.session)
        if current is None or current.generation != row.generation:
            return None
        return self._next_generation(row)

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Returns whether it was there."""
        return self._sessions.pop(session, None) is not None

    async def count_sessions(self) -> int:
        """Return how many sessions are open."""
        return len(self._sessions)

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return sessions of an identity and a client that have received nothing, the longest untouched first.

        They begin after that of the row `after`, as it was read.
        """
        found = [row for row in self._sessions.values() if _sharer(row) == (identity, client) and not row.received.size]
        found.sort(key=_age)
        return [row for row in found if after is None or _age(row) > _age(after)][:limit]

    # garbage

    async def is_dated_after(self, future: float) -> bool:
        """Tell whether content counts as unheld, or a session as touched, since later than this time."""
        times = [*self._unheld.values(), *(row.touched for row in self._sessions.values())]
        return any(time > future for time in times)

    async def bring_back(self, future: float, *, to: float) -> None:
        """Date what `is_dated_after` finds `to` this time."""
        self._unheld = {digest: to if time > future else time for digest, time in self._unheld.items()}
        for session, row in self._sessions.items():
            if row.touched > future:
                self._sessions[session] = replace(row, touched=to)

    async def page_unheld(self, before: float, limit: int) -> Sequence[Digest]:
        """Return content that no repository has held, as blob or manifest, since before this time."""
        unheld = sorted((since, str(digest), digest) for digest, since in self._unheld.items() if since < before)
        return [digest for _, _, digest in unheld[:limit]]

    async def forget(self, digest: Digest, *, before: float, remove: Callable[[], None]) -> bool:
        """Remove the row of content still unheld since before this time; then call `remove`."""
        since = self._unheld.get(digest)
        if since is None or since >= before:
            return False
        del self._unheld[digest], self._sizes[digest]
        remove()
        return True

    def check(self) -> None:
        """Do nothing: memory can be read."""

    async def close(self) -> None:
        """Do nothing: there is nothing to finish."""

    def _next_generation(self, row: SessionRow) -> SessionRow:
        self._sessions[row.session] = row = replace(row, generation=row.generation + 1)
        return row

    def _at(self, repository: RepositoryName) -> MemoryRepository:
        """Return what the repository holds, which is nothing when it does not exist."""
        return self._repositories.get(repository) or MemoryRepository()

    def _parts_unmet(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> PartsUnmet | None:
        unmet = self._unmet(repository, parts, present=lambda _blob: True)
        return PartsUnmet(unmet) if unmet else None

    def _unmet(
        self, repository: RepositoryName, parts: Sequence[DescribedPart], present: Callable[[Blob], bool]
    ) -> Sequence[UnmetPart]:
        held = self._at(repository)
        unmet: list[UnmetPart] = []
        for each in parts:
            digest = each.blob.digest
            size = self._sizes[digest] if held.has_part(each.part, digest) else None
            if size is None or not present(Blob(digest, size)):
                if each.required:
                    unmet.append(UnmetPart(each.blob, None))
            elif size != each.blob.size:
                unmet.append(UnmetPart(each.blob, size))
        return unmet

    def _hold(self, repository: RepositoryName, blob: Blob) -> MemoryRepository:
        """Note that the repository exists and the content is held; the caller adds the holder."""
        self._sizes[blob.digest] = blob.size
        self._unheld.pop(blob.digest, None)
        return self._repositories.setdefault(repository, MemoryRepository())

    def _release(self, digest: Digest) -> None:
        """Note that the content is unheld from now on, if it is."""
        held = any(digest in at.blobs or digest in at.manifests for at in self._repositories.values())
        if not held:
            self._unheld[digest] = self._clock.now()


def _page(names: Iterable[_Name], after: str | None, limit: int) -> list[_Name]:
    """Return the first `limit` names after `after`, in ASCII order."""
    return sorted(name for name in names if after is None or name > after)[:limit]


def _age(row: SessionRow) -> tuple[float, str]:
    """Return what orders sessions by how long they are untouched."""
    return row.touched, row.session


def _sharer(row: SessionRow) -> tuple[str, str]:
    return row.identity, row.client


def _referrer(row: ManifestRow) -> ReferrerDescriptor:
    return ReferrerDescriptor(row.media_type, row.digest, row.size, row.artifact_type, row.annotations)
