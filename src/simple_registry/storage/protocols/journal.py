"""The rows of the journal, and what undoes its events."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.quotas import Allowance, OverQuota
from simple_registry.storage.records import (
    Actor,
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


class JournalRows(Protocol):
    """The events of the journal, each written in the transaction of its change. Their ids increase."""

    async def page_events(self, after: int, limit: int) -> Sequence[JournalEvent]:
        """Return events of all repositories after an id, the oldest first."""

    async def page_history(
        self, repository: RepositoryName | None, tag: Tag | None, before: int | None, limit: int
    ) -> Sequence[JournalEvent]:
        """Return events of a repository or of all, or of one tag of it, before an id, the newest first."""

    async def find_event(self, event: int) -> JournalEvent | None:
        """Return an event."""

    async def find_last(self, repository: RepositoryName, tag: Tag, at: float) -> JournalEvent | None:
        """Return the last event of a tag that was not after a time."""

    async def find_first(self, repository: RepositoryName, tag: Tag) -> JournalEvent | None:
        """Return the first event of a tag."""

    async def begins(self) -> float | None:
        """Return the time before which the journal knows nothing, or `None` if it knows all.

        It knows what came before neither an event that was removed nor its own beginning in a database that was there.
        """

    async def prune(self, before: float, *, limit: int, restorable: float, size: int, future: float) -> int:
        """Remove up to `limit` of the oldest events; return their number.

        Those before a time are removed, and those before `restorable` that are not among the newest `size`. The newest
        event stays. The time of those after `future`, which a wrong clock wrote, becomes `future`.
        """


class UndoRows(Protocol):
    """Deletions of repositories, and what undoes deletions and moves. What is restored is needed again, with its parts.

    A manifest can be restored until its holding ends.
    """

    async def find_deletion(self, repository: RepositoryName, digest: Digest | None) -> JournalEvent | None:
        """Return the last deletion of a manifest of a repository, or of the repository."""

    async def find_parts_of(self, event: JournalEvent) -> Sequence[JournalEvent]:
        """Return the events that are part of an event, in order."""

    async def was_target(self, repository: RepositoryName, tag: Tag, digest: Digest) -> bool:
        """Return whether an event of a tag says that it pointed at a manifest."""

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
        """Point a tag at a manifest, restored if it was deleted, or change nothing.

        The precondition must hold, `guard` and `allowances` must allow it, and no event of the tag be after `last`.
        """

    async def restore(
        self,
        repository: RepositoryName,
        manifests: Sequence[Digest],
        tags: Mapping[Tag, Digest],
        *,
        deletion: JournalEvent,
        actor: Actor,
    ) -> Restored:
        """Restore those of the manifests that the deletion deleted, and those of the tags that do not exist.

        A manifest is gone if it was deleted again since, or its grace is over. One that is not deleted stays as it is.
        With a deletion of the repository its other blobs are restored, too. If nothing can be restored, nothing
        changes.
        """

    async def remove_repository(
        self, repository: RepositoryName, *, tags: Sequence[Tag], actor: Actor, guard: TagGuard | None = None
    ) -> RepositoryRemoved | RepositoryAbsent | TagsChanged | TagProtected:
        """Delete all manifests and blobs of the repository, and remove `tags`, which must be all its tags.

        `guard` must keep none of them.
        """
