"""Deletions of repositories in memory, and what undoes deletions and moves."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from simple_registry.clock import Clock
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import ContentState, HoldingEvent, HoldingState
from simple_registry.storage.protection import TagGuard, refuse_deletions, refuse_moves
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
    ContentRecord,
    JournalAction,
    JournalEvent,
    ManifestGone,
    RepositoryAbsent,
    RepositoryRemoved,
    Restored,
    TagPointed,
    TagProtected,
    TagsChanged,
)
from support.memory.journal_rows import MemoryJournalRows
from support.memory.repository import MemoryRepository

_T = TypeVar("_T")


class MemoryUndoRows(MemoryJournalRows):
    """The repositories and their journal."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; times come from `clock`."""
        super().__init__(clock)
        self._repositories: dict[RepositoryName, MemoryRepository] = {}
        self._contents: dict[Digest, tuple[ContentRecord, ContentState]] = {}

    async def find_deletion(self, repository: RepositoryName, digest: Digest | None) -> JournalEvent | None:
        """Return the last deletion of a manifest of a repository, or of the repository."""
        action = JournalAction.REPOSITORY_DELETE if digest is None else JournalAction.MANIFEST_DELETE
        events = await self.page_history(repository, None, None, len(self._events))
        return next((event for event in events if event.action is action and event.before == digest), None)

    async def find_parts_of(self, event: JournalEvent) -> Sequence[JournalEvent]:
        """Return the events that are part of an event, in order."""
        return [each for each in self._events if each.cause == event.id]

    async def was_target(self, repository: RepositoryName, tag: Tag, digest: Digest) -> bool:
        """Return whether an event of a tag says that it pointed at a manifest."""
        events = await self.page_history(repository, tag, None, len(self._events))
        return any(digest in (event.before, event.after) for event in events)

    async def point_tag(
        self,
        repository: RepositoryName,
        tag: Tag,
        digest: Digest,
        *,
        action: JournalAction,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
        last: int | None = None,
    ) -> TagPointed | ManifestGone | PreconditionUnmet | TagProtected | TagsChanged | OverQuota:
        """Point a tag at a manifest, restored if it was deleted, or change nothing."""
        if last is not None and any(event.id > last for event in await self.page_history(repository, tag, None, 1)):
            return TagsChanged()
        at = self._repositories.get(repository) or MemoryRepository()
        before = at.tags.get(tag)
        visible = before if before is not None and self._is_whole(before) else None
        if not precondition.holds(visible):
            return PreconditionUnmet(tag, visible)
        refusal = refuse_moves(guard, [(tag, before)], digest)
        if refusal is not None:
            return refusal
        if not self._is_restorable(at, digest):
            return ManifestGone()

        def hold() -> TagPointed:
            restored = self._restore(at, [digest])
            cause = self._record_restored(repository, restored, actor, None)
            at.point_tags([tag], digest, self._clock.now())
            if before != digest:
                self.record(actor, action, repository, tag=tag, before=before, after=digest, cause=cause)
            return TagPointed(before)

        return self._within(allowances, hold)

    async def restore(
        self,
        repository: RepositoryName,
        manifests: Sequence[Digest],
        tags: Mapping[Tag, Digest],
        *,
        deletion: JournalEvent,
        actor: Actor,
    ) -> Restored:
        """Restore those of the manifests that the deletion deleted, and those of the tags that do not exist."""
        at = self._repositories.get(repository) or MemoryRepository()
        whole_repository = deletion.action is JournalAction.REPOSITORY_DELETE
        deleted = [digest for digest in manifests if at.manifest(digest) is None]
        later = self._deleted_later(repository, deletion)
        found = [digest for digest in deleted if self._is_restorable(at, digest) and digest not in later]
        gone = tuple(
            digest
            for digest in manifests
            if not self._is_restorable(at, digest) or (digest in deleted and digest not in found)
        )
        blobs = [each for each in _deleted_since(at, deletion.time) if each not in later] if whole_repository else []
        if not found and (gone or not blobs):
            return Restored(gone=gone)
        cause = self.record(actor, JournalAction.REPOSITORY_RESTORE, repository) if whole_repository else None
        for digest in blobs:
            at.apply_event(HoldingEvent.RESTORED, digest, self._clock.now())
        restored = self._restore(at, found)
        cause = self._record_restored(repository, restored, actor, cause)
        wanted = {tag: digest for tag, digest in sorted(tags.items()) if digest not in gone}
        pointed = [tag for tag in wanted if tag not in at.tags]
        elsewhere = [tag for tag, digest in wanted.items() if at.tags.get(tag, digest) != digest]
        for tag in pointed:
            at.point_tags([tag], wanted[tag], self._clock.now())
            self.record(actor, JournalAction.TAG_RESTORE, repository, tag=tag, after=wanted[tag], cause=cause)
        return Restored(restored, tuple(pointed), tuple(elsewhere), gone)

    async def remove_repository(
        self, repository: RepositoryName, *, tags: Sequence[Tag], actor: Actor, guard: TagGuard | None = None
    ) -> RepositoryRemoved | RepositoryAbsent | TagsChanged | TagProtected:
        """Delete all manifests and blobs of the repository, and remove `tags`, which must be all its tags."""
        at = self._repositories.get(repository) or MemoryRepository()
        manifests, now = [row.digest for row in at.listed], round(self._clock.now(), 3)
        if not manifests and not any(at.blob(digest) for digest in at.blobs):
            return RepositoryAbsent()
        if at.tags.keys() != set(tags):
            return TagsChanged()
        refusal = refuse_deletions(guard, sorted(tags))
        if refusal is not None:
            return refusal
        event = self.record(actor, JournalAction.REPOSITORY_DELETE, repository)
        for tag, digest in sorted(at.tags.items()):
            self.record(actor, JournalAction.TAG_DELETE, repository, tag=tag, before=digest, cause=event)
        for digest in manifests:
            self.record(actor, JournalAction.MANIFEST_DELETE, repository, before=digest, cause=event)
            at.apply_to_manifest(HoldingEvent.DELETED, digest, now)
        for digest in [*at.blobs]:
            at.apply_event(HoldingEvent.DELETED, digest, now)
        at.tags.clear()
        return RepositoryRemoved(len(manifests))

    @abstractmethod
    def _within(self, allowances: Sequence[Allowance], change: Callable[[], _T]) -> _T | OverQuota:
        """Return the result of `change`, or undo it if it exceeds an allowance."""

    def _restore(self, at: MemoryRepository, digests: Sequence[Digest]) -> Sequence[Digest]:
        """Make manifests needed again, with all that is below them. Return those that were deleted, in order."""
        now, restored, pending, known = self._clock.now(), set[Digest](), [*digests], set(digests)
        while pending:
            row, holding = at.manifests[each := pending.pop()]
            if holding.state is HoldingState.DELETED:
                restored.add(each)
                at.apply_to_manifest(HoldingEvent.RESTORED, each, now)
            for child in row.children:
                at.apply_event(HoldingEvent.RESTORED, child, now)
            below = {
                child
                for child in row.children
                if child in at.manifests and at.manifests[child][1].state is not HoldingState.NEEDED
            }
            pending += below - known
            known |= below
        for digest in digests:
            at.keep(HoldingEvent.KEPT, digest, now)
        return tuple(sorted(restored, key=str))

    def _record_restored(
        self, repository: RepositoryName, restored: Sequence[Digest], actor: Actor, cause: int | None
    ) -> int | None:
        for digest in restored:
            event = self.record(actor, JournalAction.MANIFEST_RESTORE, repository, after=digest, cause=cause)
            cause = cause or event
        return cause

    def _deleted_later(self, repository: RepositoryName, deletion: JournalEvent) -> set[Digest | None]:
        return {
            event.before
            for event in self._events
            if event.repository == repository
            and event.id > deletion.id
            and event.cause != deletion.id
            and event.action in (JournalAction.MANIFEST_DELETE, JournalAction.BLOB_DELETE)
        }

    def _is_restorable(self, at: MemoryRepository, digest: Digest) -> bool:
        if digest not in at.manifests or not self._is_whole(digest):
            return False
        return all(child not in self._contents or self._is_whole(child) for child in at.manifests[digest][0].children)

    def _is_whole(self, digest: Digest) -> bool:
        return self._contents.get(digest, (None, ContentState.ABSENT))[1] is ContentState.WHOLE


def _deleted_since(at: MemoryRepository, time: float) -> list[Digest]:
    return [
        digest
        for digest, holding in at.blobs.items()
        if holding.state is HoldingState.DELETED and holding.since >= time
    ]
