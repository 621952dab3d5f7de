"""Deleting repositories, and undoing what the journal tells: deletions, and moves of tags.

    roll back   a tag gets an earlier target       restore   what was deleted comes back, until its grace ends

Both change the rows in one transaction, with the events of the journal.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import NameUnknown, NotRestorable, PreconditionFailed, TagIsProtected, Unavailable
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.operations.pages import BATCH, in_turns
from simple_registry.operations.quotas import QuotaExceeded
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.protocols.journal import JournalRows, UndoRows
from simple_registry.storage.protocols.tags import TagRows
from simple_registry.storage.quotas import Allowance, Measure, OverQuota
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

__all__ = ["RepositoryDeleted", "Restorable", "Restored", "RolledBack", "Undo"]

MAX_ATTEMPTS = 10
"""Attempts at a change while tags change."""

Authorize = Callable[[Tag], None]
"""Raises to refuse that a tag is changed."""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """A tag that points at `digest` again; before, it pointed at `previous`."""

    digest: Digest
    previous: Digest | None


@dataclass(frozen=True, slots=True)
class RepositoryDeleted:
    """The numbers of manifests and tags that were deleted with their repository."""

    manifests: int
    tags: Sequence[Tag]


@dataclass(frozen=True, slots=True)
class Restorable:
    """What a deletion deleted: manifests, and tags with their targets; of a deleted tag its target, too."""

    deletion: JournalEvent
    manifests: Sequence[Digest]
    tags: Mapping[Tag, Digest]


class Undo:
    """The operations that undo."""

    def __init__(self, rows: UndoRows, journal: JournalRows, tags: TagRows) -> None:
        self._rows = rows
        self._journal = journal
        self._tags = tags

    async def roll_back(
        self,
        repository: RepositoryName,
        tag: Tag,
        to: int | Digest | None,
        *,
        actor: Actor,
        any_target: bool = False,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> RolledBack:
        """Give a tag an earlier target: that after an event, a manifest, or (`None`) that before its last event.

        So two rollbacks in a row leave the tag where it was. With `any_target` it gets a manifest at which it never
        pointed, too. Of the `allowances`, only those of tags count: what comes back was there before.

        Raises: NotRestorable, PreconditionFailed, TagIsProtected, QuotaExceeded, Unavailable when the tag changes too
        fast.
        """
        if isinstance(to, Digest) and not any_target and not await self._rows.was_target(repository, tag, to):
            raise NotRestorable(tag=tag, reason="the journal does not say that the tag pointed there")
        for _attempt in range(MAX_ATTEMPTS):
            digest, last = (to, None) if isinstance(to, Digest) else await self._target(repository, tag, to)
            if digest is None:
                raise NotRestorable(tag=tag, reason="the tag did not exist then")
            outcome = await self._rows.point_tag(
                repository,
                tag,
                digest,
                action=JournalAction.TAG_ROLLBACK,
                actor=actor,
                precondition=precondition,
                guard=guard,
                allowances=_of_tags(allowances),
                last=last,
            )
            if not isinstance(outcome, TagsChanged):
                return RolledBack(digest, _pointed(outcome, digest).before)
        raise Unavailable(note=f"tag {tag} of {repository} changed {MAX_ATTEMPTS} times while it was being rolled back")

    async def earlier_target(self, repository: RepositoryName, tag: Tag, to: int | None) -> Digest:
        """Return what a rollback would give to a tag.

        Raises: NotRestorable.
        """
        digest, _last = await self._target(repository, tag, to)
        if digest is None:
            raise NotRestorable(tag=tag, reason="the tag did not exist then")
        return digest

    async def restorable(self, repository: RepositoryName, reference: Reference | None) -> Restorable:
        """Return what a restoration would try to restore; `None` is the repository.

        Raises: NotRestorable.
        """
        if isinstance(reference, Digest):
            return await self._deleted_manifest(repository, reference)
        if reference is None:
            return await self._deleted_repository(repository)
        return await self._deleted_tag(repository, reference)

    async def restore_tag(self, repository: RepositoryName, tag: Tag, *, actor: Actor) -> Restored:
        """Restore a tag that was deleted, with its manifest.

        Raises: NotRestorable, Unavailable when the tag changes meanwhile.
        """
        found = await self._deleted_tag(repository, tag)
        action, last, target = JournalAction.TAG_RESTORE, found.deletion.id, found.tags[tag]
        outcome = await self._rows.point_tag(repository, tag, target, action=action, actor=actor, last=last)
        _pointed(outcome, target)
        return Restored(tags=(tag,))

    async def restore_manifest(
        self, repository: RepositoryName, digest: Digest, *, authorize: Authorize, actor: Actor
    ) -> Restored:
        """Restore a manifest that was deleted, with the tags that were deleted with it and do not exist now.

        Raises: NotRestorable, and what `authorize` raises.
        """
        found = await self._deleted_manifest(repository, digest)
        await in_turns([*found.tags], authorize)
        restored = await self._restore(repository, found, actor)
        if restored.gone:
            raise _gone(digest)
        return restored

    async def restore_repository(self, repository: RepositoryName, *, authorize: Authorize, actor: Actor) -> Restored:
        """Restore what the last deletion of a repository deleted: manifests, blobs, and tags that do not exist now.

        Raises: NotRestorable, and what `authorize` raises.
        """
        found = await self._deleted_repository(repository)
        await in_turns([*found.tags], authorize)
        restored = await self._restore(repository, found, actor)
        if restored.gone and not restored.manifests:
            raise NotRestorable(name=repository, reason="the grace of its manifests is over")
        return restored

    async def delete_repository(
        self, repository: RepositoryName, *, authorize: Authorize, actor: Actor, guard: TagGuard | None = None
    ) -> RepositoryDeleted:
        """Delete all manifests, blobs and tags of a repository.

        `authorize` is called for each tag; no tag is removed without it.

        Raises: NameUnknown, TagIsProtected, Unavailable when tags change too fast, and what `authorize` raises.
        """
        for _attempt in range(MAX_ATTEMPTS):
            tags = await self._all_tags(repository)
            await in_turns(tags, authorize)
            match await self._rows.remove_repository(repository, tags=tags, actor=actor, guard=guard):
                case RepositoryRemoved(manifests):
                    return RepositoryDeleted(manifests, tags)
                case RepositoryAbsent():
                    raise NameUnknown(name=repository)
                case TagProtected(tag, rule):
                    raise TagIsProtected(tag, rule, "deleted")
        raise Unavailable(note=f"tags of {repository} changed {MAX_ATTEMPTS} times while it was being deleted")

    async def _restore(self, repository: RepositoryName, found: Restorable, actor: Actor) -> Restored:
        return await self._rows.restore(repository, found.manifests, found.tags, deletion=found.deletion, actor=actor)

    async def _deleted_tag(self, repository: RepositoryName, tag: Tag) -> Restorable:
        last = await self._last(repository, tag)
        if last is None or last.after is not None or last.before is None:
            raise NotRestorable(tag=tag, reason="the tag was not deleted, or too long ago")
        return Restorable(last, [last.before], {tag: last.before})

    async def _deleted_manifest(self, repository: RepositoryName, digest: Digest) -> Restorable:
        deletion = await self._rows.find_deletion(repository, digest)
        if deletion is None:
            raise NotRestorable(digest=str(digest), reason="the manifest was not deleted, or too long ago")
        events = await self._rows.find_parts_of(await self._cause(deletion))
        tags = {event.tag: digest for event in events if event.tag is not None and event.before == digest}
        return Restorable(deletion, [digest], tags)

    async def _deleted_repository(self, repository: RepositoryName) -> Restorable:
        deletion = await self._rows.find_deletion(repository, None)
        if deletion is None:
            raise NotRestorable(name=repository, reason="the repository was not deleted, or too long ago")
        events = await self._rows.find_parts_of(deletion)
        tags = {event.tag: event.before for event in events if event.tag is not None and event.before is not None}
        return Restorable(
            deletion, [event.before for event in events if event.tag is None and event.before is not None], tags
        )

    async def _target(self, repository: RepositoryName, tag: Tag, to: int | None) -> tuple[Digest | None, int | None]:
        """Return the target of a tag after an event; or before its last one, and the id of this last one.

        Raises: NotRestorable.
        """
        if to is not None:
            event = await self._journal.find_event(to)
            if event is None or (event.repository, event.tag) != (repository, tag):
                raise NotRestorable(tag=tag, reason="there is no such event of the tag")
            return event.after, None
        last = await self._last(repository, tag)
        if last is None:
            raise NotRestorable(tag=tag, reason="the journal has no event of the tag")
        return last.before, last.id

    async def _last(self, repository: RepositoryName, tag: Tag) -> JournalEvent | None:
        events = await self._journal.page_history(repository, tag, None, 1)
        return events[0] if events else None

    async def _cause(self, event: JournalEvent) -> JournalEvent:
        """Return the event that an event is part of, or itself."""
        cause = None if event.cause is None else await self._journal.find_event(event.cause)
        return cause or event

    async def _all_tags(self, repository: RepositoryName) -> Sequence[Tag]:
        tags: list[Tag] = []
        while page := await self._tags.page_tags(repository, tags[-1] if tags else None, BATCH):
            tags += page
        return tags


def _of_tags(allowances: Sequence[Allowance]) -> Sequence[Allowance]:
    limited = (each for each in allowances if Measure.TAGS in each.limits)
    return [replace(each, limits={Measure.TAGS: each.limits[Measure.TAGS]}) for each in limited]


def _pointed(
    outcome: TagPointed | ManifestGone | PreconditionUnmet | TagProtected | TagsChanged | OverQuota, digest: Digest
) -> TagPointed:
    match outcome:
        case TagPointed():
            return outcome
        case ManifestGone():
            raise _gone(digest)
        case PreconditionUnmet(reference, current):
            raise PreconditionFailed(reference=str(reference), current=None if current is None else str(current))
        case TagProtected(tag, rule):
            raise TagIsProtected(tag, rule, "moved")
        case TagsChanged():
            raise Unavailable(note="the tag changed again and again")
        case OverQuota():
            raise QuotaExceeded(outcome)


def _gone(digest: Digest) -> NotRestorable:
    return NotRestorable(digest=str(digest), reason="its grace is over, or its content is damaged")
