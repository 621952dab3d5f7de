"""Rows in memory: dictionaries, with the rules of the tables in plain code.

One process, one event loop: nothing here waits, so every method is a transaction. Listings sort what they find, which
is right for tests and trials and nothing larger.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from dataclasses import astuple, replace
from typing import TypeVar

from simple_registry.clock import Clock
from simple_registry.faults import SessionBusy
from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import (
    CONTENTS,
    ContentEvent,
    ContentState,
    HoldingEvent,
    HoldingState,
)
from simple_registry.storage.protection import TagGuard, refuse_deletions, refuse_moves
from simple_registry.storage.protocols.rows import Rows
from simple_registry.storage.quotas import (
    Account,
    Allowance,
    Amounts,
    Measure,
    OfIdentity,
    OfRepository,
    OverQuota,
    exceeded,
)
from simple_registry.storage.records import (
    NEEDED,
    Actor,
    BlobAbsent,
    BlobAdded,
    BlobRemoved,
    CollectionRow,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    FoundParts,
    HeldAs,
    HeldTogether,
    Holding,
    HoldingsEnded,
    JournalAction,
    Keepers,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    Origin,
    Part,
    PartsUnmet,
    Place,
    Pull,
    ReadOnlyMode,
    Rehearsed,
    RepositorySummary,
    Reviewed,
    ReviewRules,
    SessionRow,
    Space,
    StillNeeded,
    StoredBlob,
    StoredManifest,
    TagAbsent,
    TagPosition,
    TagProtected,
    TagRemoved,
    TagRow,
    TagsChanged,
    TotalUsage,
    UnmetPart,
    Usage,
    Waiting,
)
from support.memory.repository import MemoryRepository
from support.memory.token_rows import MemoryTokenRows
from support.memory.undo_rows import MemoryUndoRows
from support.memory.web_session_rows import MemoryEndedWebSessionRows

_Name = TypeVar("_Name", bound=str)
_T = TypeVar("_T")
_Due = tuple[float, RepositoryName, Digest]

AFTER = 0.001
"""Seconds after a manifest at which the turn of its parts comes."""

_CHANGED = ("_repositories", "_contents", "_placements", "_sessions", "_events", "_last", "_manifests_pushed")
"""What a push changes."""

POSTPONED = 24 * 3600.0
"""Seconds at most until a manifest that a rule keeps for now is reviewed again."""


class MemoryRows(MemoryUndoRows, MemoryTokenRows, MemoryEndedWebSessionRows):
    """All rows."""

    def __init__(self, clock: Clock) -> None:
        """Start empty; times come from `clock`."""
        super().__init__(clock)
        self._removals = 0
        self._placements = 0
        self._collecting = asyncio.Lock()
        self._manifests_pushed: dict[tuple[RepositoryName, Digest], float] = {}
        self._due_reviews: dict[tuple[RepositoryName, Digest], float] = {}
        self._sessions: dict[str, SessionRow] = {}
        self._held: set[str] = set()
        self._mode: ReadOnlyMode | None = None
        self._runs: Mapping[str, float] = {}
        self._collections: dict[Origin, CollectionRow] = {}

    @property
    def rows(self) -> Rows:
        """All of them, by kind."""
        one = self
        return Rows(
            blobs=one,
            manifests=one,
            tags=one,
            tag_times=one,
            repositories=one,
            journal=one,
            undo=one,
            sessions=one,
            tokens=one,
            web_sessions=one,
            contents=one,
            garbage=one,
            collections=one,
            reviews=one,
            keepers=one,
            mode=one,
            usage=one,
            check=one.check,
            close=one.close,
        )

    # blobs

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob if this repository holds it, not deleted, and its content is whole."""
        holding, content = self._at(repository).blob(digest), self._whole(digest)
        return None if holding is None or content is None else StoredBlob(content, holding)

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold this blob, ordered by name, after `after`."""
        return _page((name for name, at in self._repositories.items() if at.blob(digest)), after, limit)

    async def add_blob(
        self,
        repository: RepositoryName,
        content: ContentRecord,
        *,
        removals: int,
        actor: Actor,
        session: str | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> BlobAdded | ContentRemoved | OverQuota:
        """Make the repository, created if absent, hold a blob whose bytes were placed, and remove the session's row."""
        removed = self._require(content.digest, removals, placed=True)
        if removed is not None:
            return removed

        def hold() -> BlobAdded:
            surplus = self._place(content)
            self._hold_blob(repository, content.digest, actor.identity)
            if session is not None:
                self._sessions.pop(session, None)
            return BlobAdded(surplus)

        outcome = self._within(allowances, hold)
        if isinstance(outcome, OverQuota):
            self._refuse(content)
        return outcome

    async def mount_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName,
        *,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord | OverQuota | None:
        """Make the repository hold a blob of `source`."""
        blob = await self.find_blob(source, digest)
        if blob is None:
            return None

        def hold() -> ContentRecord:
            self._hold_blob(repository, digest, actor.identity)
            return blob.content

        return self._within(allowances, hold)

    async def renew_blob(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event to a holding. Return whether it changed anything."""
        at = self._at(repository)
        if digest not in at.blobs or not at.apply_event(event, digest, self._clock.now()):
            return False
        if at.needs(digest):
            at.apply_event(HoldingEvent.KEPT, digest, self._clock.now())
        return True

    async def remove_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        unless_needed: bool = False,
    ) -> BlobRemoved | BlobAbsent | PreconditionUnmet | StillNeeded:
        """Delete the blob from the repository if the precondition holds."""
        at = self._at(repository)
        if at.blob(digest) is None:
            return BlobAbsent()
        named = self._visible(digest)
        if not precondition.holds(named):
            return PreconditionUnmet(digest, named)
        needed = at.still_needed(digest) if unless_needed else None
        if needed is not None:
            return needed
        at.apply_event(HoldingEvent.DELETED, digest, self._clock.now())
        self.record(actor, JournalAction.BLOB_DELETE, repository, before=digest)
        return BlobRemoved()

    # manifests

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it, not deleted, and its content is whole."""
        row, content = self._at(repository).manifest(digest), self._whole(digest)
        if row is None or content is None:
            return None
        holding = self._at(repository).manifests[digest][1]
        return replace(row.stored, size=content.size, place=content.place, version=content.version, holding=holding)

    async def renew_manifest(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event to an unneeded manifest and all that ends with it. Return whether it changed anything."""
        at = self._at(repository)
        changed = at.apply_to_manifest(event, digest, self._clock.now())
        if changed:
            at.keep(event, digest, self._clock.now())
        return changed

    async def find_parts(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> FoundParts:
        """Return which parts the repository holds, and which are not in it as described."""
        at = self._at(repository)
        held: list[ContentRecord] = []
        unmet: list[UnmetPart] = []
        for each in parts:
            digest = each.content.digest
            content = self._whole(digest)
            if content is not None and at.has_part(Part.CHILD, digest):
                held.append(content)
            if content is None or not at.has_part(each.part, digest):
                if each.required:
                    unmet.append(UnmetPart(each.content, None))
            elif content.size != each.content.size:
                unmet.append(UnmetPart(each.content, content.size))
        return FoundParts(held, unmet)

    async def find_referring(self, repository: RepositoryName, digest: Digest) -> Digest | None:
        """Return a manifest of the repository, not deleted, that refers to this content, if there is one."""
        needing = self._at(repository).still_needed(digest)
        return None if needing is None else needing.by

    async def total_size(self, repository: RepositoryName, digest: Digest, limit: int) -> int | None:
        """Return the bytes of a manifest and of all below it; `None` for more than `limit` contents."""
        below, pending = {digest}, [digest]
        while pending:
            row, _ = self._at(repository).manifests.get(pending.pop(), (None, None))
            new = set(row.children) - below if row is not None else set()
            below |= new
            pending += new
        sizes = [self._contents[each][0].size for each in below if each in self._contents]
        return sum(sizes) if len(below) <= limit else None

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        place: Place | None,
        stamp: str = "",
        removals: int,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        allowances: Sequence[Allowance] = (),
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | ContentRemoved | OverQuota:
        """Make the repository hold the manifest, and point `tags` at it, or change nothing. Repeatable."""
        digest = manifest.digest
        removed = self._require(digest, removals, placed=place is not None)
        if removed is not None:
            return removed
        at = self._at(repository)
        before = {tag: at.tags.get(tag) for tag in tags}
        targets = before.items() or [(digest, digest if at.manifest(digest) else None)]
        named = [(reference, self._visible(target)) for reference, target in targets]
        unmet = (await self.find_parts(repository, parts)).unmet
        content = None if place is None else ContentRecord(digest, manifest.size, place, stamp=stamp)

        def hold() -> ManifestStored:
            surplus = None if content is None else self._place(content)
            self._hold_manifest(repository, manifest, actor.identity)
            self._at(repository).point_tags(tags, digest, self._clock.now())
            for tag, target in before.items():
                if target != digest:
                    self.record(actor, JournalAction.TAG_SET, repository, tag=tag, before=target, after=digest)
            return ManifestStored(before, surplus)

        outcome: ManifestStored | PartsUnmet | PreconditionUnmet | TagProtected | OverQuota | None
        outcome = (
            precondition.unmet(named)
            or refuse_moves(guard, before.items(), digest)
            or (PartsUnmet(unmet) if unmet else None)
        )
        if outcome is None:
            outcome = self._within(allowances, hold)
        if content is not None and not isinstance(outcome, ManifestStored):
            self._refuse(content)
        return outcome

    async def remove_manifest(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        tags: Sequence[Tag],
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
        unless_needed: bool = False,
    ) -> ManifestRemoved | ManifestAbsent | PreconditionUnmet | TagProtected | StillNeeded | TagsChanged:
        """Delete the manifest from the repository, and remove `tags`, which must be all tags that point at it."""
        at = self._at(repository)
        row = at.manifest(digest)
        if row is None:
            return ManifestAbsent()
        named = self._visible(digest)
        if not precondition.holds(named):
            return PreconditionUnmet(digest, named)
        if set(await self.tags_of(repository, digest)) != set(tags):
            return TagsChanged()
        refusal = refuse_deletions(guard, tags)
        if refusal is not None:
            return refusal
        needed = at.still_needed(digest) if unless_needed else None
        if needed is not None:
            return needed
        at.apply_to_manifest(HoldingEvent.DELETED, digest, self._clock.now())
        at.release_parts(digest, self._clock.now())
        event = self.record(actor, JournalAction.MANIFEST_DELETE, repository, before=digest)
        for tag in sorted(set(tags)):
            del at.tags[tag]
            self.record(actor, JournalAction.TAG_DELETE, repository, tag=tag, before=digest, cause=event)
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
        """Return manifests with this subject, of about `size` bytes, ordered by digest, and whether more follow."""
        found = [
            row
            for row in self._at(repository).listed
            if row.subject == subject
            and self._whole(row.digest) is not None
            and artifact_type in (None, row.artifact_type)
            and (after is None or str(row.digest) > str(after))
        ]
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
        """Return tags in ASCII order after `after`, which need not exist."""
        return _page(self._at(repository).tags, after, limit)

    async def remove_tag(
        self,
        repository: RepositoryName,
        tag: Tag,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
    ) -> TagRemoved | TagAbsent | PreconditionUnmet | TagProtected:
        """Remove this tag if it exists and the precondition holds."""
        current = self._at(repository).tags.get(tag)
        if current is None:
            return TagAbsent()
        named = self._visible(current)
        if not precondition.holds(named):
            return PreconditionUnmet(tag, named)
        refusal = refuse_deletions(guard, (tag,))
        if refusal is not None:
            return refusal
        self.record(actor, JournalAction.TAG_DELETE, repository, tag=tag, before=current)
        return TagRemoved(self._at(repository).tags.pop(tag))

    async def dated_tags(self, repository: RepositoryName) -> Sequence[TagRow]:
        """Return all tags of a repository."""
        return self._at(repository).dated_tags()

    async def last_pushed_tags(
        self, repository: RepositoryName, *, containing: str, after: TagPosition | None, limit: int
    ) -> Sequence[TagRow]:
        """Return tags with a text in their names, the last pushed first, after `after`."""
        found = [row for row in self._at(repository).dated_tags() if containing.lower() in row.tag.lower()]
        found.sort(key=lambda row: row.position, reverse=True)
        if after is not None:
            found = [row for row in found if row.position < after]
        return found[:limit]

    async def sorted_tags(
        self,
        repository: RepositoryName,
        key: Callable[[Tag], str],
        *,
        containing: str,
        after: Tag | None,
        limit: int,
        reverse: bool,
    ) -> Sequence[TagRow]:
        """Return tags with a text in their names in the order of a key, after `after`."""
        found = [row for row in self._at(repository).dated_tags() if containing.lower() in row.tag.lower()]
        found.sort(key=lambda row: key(row.tag), reverse=reverse)
        if after is not None:
            last = key(after)
            found = [row for row in found if (key(row.tag) < last if reverse else key(row.tag) > last)]
        return found[:limit]

    async def record_pulls(self, pulls: Sequence[Pull], *, apart: float) -> None:
        """Record the last pulls of tags."""
        for pull in pulls:
            at = self._at(pull.repository)
            for row in at.dated_tags():
                if pull.reference in (row.tag, row.digest) and abs((row.pulled or 0.0) - pull.when) > apart:
                    at.pulled[row.tag] = pull.when

    async def owners(self, repository: RepositoryName, digests: Sequence[Digest]) -> Mapping[Digest, bool]:
        """Return those of these manifests that the repository holds, and whether another one keeps each."""
        at = self._at(repository)
        found = [row for digest in digests if (row := at.manifest(digest)) is not None]
        return {row.digest: at.is_kept_by_another(row) for row in found}

    async def retire_tags(
        self, repository: RepositoryName, tags: Sequence[TagRow], *, actor: Actor, owners: Mapping[Tag, Digest]
    ) -> Sequence[Tag]:
        """Remove those of these tags that are still as they were read, unless what they belong to is kept."""
        at, retired = self._at(repository), []
        for each in tags:
            owner = owners.get(each.tag)
            row = None if owner is None else at.manifest(owner)
            kept = row is not None and at.keeps(row)
            if each in await self.dated_tags(repository) and not kept:
                retired.append(each.tag)
                await self.remove_tag(repository, each.tag, actor=actor)
        return retired

    async def retention_runs(self) -> Mapping[str, float]:
        """Return when each Retention ran."""
        return self._runs

    async def keep_retention_runs(self, runs: Mapping[str, float]) -> None:
        """Replace what `retention_runs` returns."""
        self._runs = dict(runs)

    # repositories

    async def is_listed(self, repository: RepositoryName) -> bool:
        """Return whether the repository holds a manifest."""
        return repository in await self.page_repositories(None, len(self._repositories))

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold a manifest, in ASCII order, after `after`."""
        return _page((name for name, at in self._repositories.items() if at.listed), after, limit)

    async def search_repositories(
        self, text: str, below: str, after: str | None, limit: int, skip: int = 0
    ) -> Sequence[RepositorySummary]:
        """Return those whose names contain `text` and begin with `below`, in ASCII order, after `after`.

        The first `skip` of them are left out.
        """
        names = [name for name in await self.page_repositories(after, len(self._repositories)) if text in name]
        return [self._summary(name) for name in names if name.startswith(below)][skip : skip + limit]

    def _summary(self, name: RepositoryName) -> RepositorySummary:
        usage, tags = self._usage(name), self._repositories[name].dated_tags()
        return RepositorySummary(name, usage.tags, usage.bytes, max((tag.pushed for tag in tags), default=None))

    # sessions

    @asynccontextmanager
    async def hold(self, session: str) -> AsyncIterator[SessionRow | None]:
        """Hold a session, and return its present row.

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
        """Add a new session, unless `limit` are open, or `share` of the same identity and client."""
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
        """Remove the session. Return whether it existed."""
        return self._sessions.pop(session, None) is not None

    async def count_sessions(self) -> int:
        """Return the number of open sessions."""
        return len(self._sessions)

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions, ordered by id, after `after`."""
        return [self._sessions[session] for session in sorted(self._sessions) if session > after][:limit]

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return sessions of an identity and a client that have received nothing, the longest untouched first.

        They begin after that of the row `after`, as it was read.
        """
        found = [row for row in self._sessions.values() if _sharer(row) == (identity, client) and not row.received.size]
        found.sort(key=_age)
        return [row for row in found if after is None or _age(row) > _age(after)][:limit]

    # collections

    async def keep_collection(self, row: CollectionRow) -> None:
        """Keep a collection instead of the last one of its origin."""
        self._collections[row.origin] = row

    async def last_collections(self) -> Sequence[CollectionRow]:
        """Return the last collection of each origin, the newest first."""
        return sorted(self._collections.values(), key=lambda row: (-row.ended, row.origin))

    # garbage

    @asynccontextmanager
    async def collecting(self, *, only_reading: bool = False) -> AsyncIterator[None]:
        """Wait for the right to remove content, and hold it for the block."""
        async with self._collecting:
            yield

    @asynccontextmanager
    async def removing(self) -> AsyncIterator[bool]:
        """Hold the right to remove bytes for the block. No backup is made of what is in memory."""
        yield True

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding became deleted or unneeded, or a session was touched, after this time."""
        holdings = [holding for at in self._repositories.values() for holding in _dated(at)]
        times = [*(holding.since for holding in holdings), *(row.touched for row in self._sessions.values())]
        return any(time > future for time in times)

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`."""
        for at in self._repositories.values():
            for digest, holding in at.blobs.items():
                at.blobs[digest] = _reset(holding, future, to)
            for digest, (manifest, holding) in at.manifests.items():
                at.manifests[digest] = (manifest, _reset(holding, future, to))
        for session, row in self._sessions.items():
            if row.touched > future:
                self._sessions[session] = replace(row, touched=to)

    async def end_holdings(self, before: float, limit: int) -> HoldingsEnded:
        """End up to `limit` holdings that were deleted or unneeded before this time: manifests first, oldest first."""
        manifests = self._due(before, _manifest_holdings)[: (limit + 1) // 2]
        ended = [due for due in manifests if self._end_manifest(due)]
        blobs = self._due(before, lambda at: at.blobs)[: limit - len(manifests)]
        ended_blobs = [due for due in blobs if self._end_blob(due)]
        for _since, name, digest in (*ended, *ended_blobs):
            if not any(at.holds(digest) for at in self._repositories.values()) and digest in self._contents:
                self._apply_to_content(ContentEvent.UNHELD, self._contents[digest][0])
            if (at := self._repositories.get(name)) and not at.blobs and not at.manifests:
                del self._repositories[name]
        waiting = len(manifests) + len(blobs) - len(ended) - len(ended_blobs)
        return HoldingsEnded(len(ended), len(ended_blobs), waiting)

    def _due(self, before: float, holdings: Callable[[MemoryRepository], Mapping[Digest, Holding]]) -> list[_Due]:
        return sorted(
            (holding.since, name, digest)
            for name, at in self._repositories.items()
            for digest, holding in holdings(at).items()
            if holding.state is not HoldingState.NEEDED and holding.since < before
        )

    def _end_manifest(self, due: _Due) -> bool:
        _since, name, digest = due
        at = self._repositories[name]
        row, holding = at.manifests[digest]
        if until := self._waits(at, digest, holding):
            at.manifests[digest] = (row, replace(holding, since=until))
            return False
        self._due_reviews.pop((name, digest), None)
        return at.apply_to_manifest(HoldingEvent.EXPIRED, digest, self._clock.now())

    def _end_blob(self, due: _Due) -> bool:
        _since, name, digest = due
        at = self._repositories[name]
        if until := self._waits(at, digest, at.blobs[digest]):
            at.blobs[digest] = replace(at.blobs[digest], since=until)
            return False
        return at.apply_event(HoldingEvent.EXPIRED, digest, self._clock.now())

    def _waits(self, at: MemoryRepository, digest: Digest, holding: Holding) -> float | None:
        """Return until when a holding waits for a manifest that refers to it."""
        times = [
            each.since
            for each in at.referring(digest)
            if HoldingState.NEEDED is not each.state or holding.state is not HoldingState.DELETED
        ]
        return max(times) + AFTER if times else None

    async def waiting(self) -> Waiting:
        """Return what waits for the end of its grace."""
        found: dict[HoldingState, list[tuple[int, float]]] = {HoldingState.DELETED: [], HoldingState.UNNEEDED: []}
        for at in self._repositories.values():
            for digest, holding in _holdings(at):
                if holding.state is not HoldingState.NEEDED:
                    found[holding.state].append((self._contents[digest][0].size, holding.since))
        deleted, unneeded = (
            Space(len(each), sum(size for size, _ in each))
            for each in (found[HoldingState.DELETED], found[HoldingState.UNNEEDED])
        )
        return Waiting(deleted, unneeded, max((since for _, since in found[HoldingState.DELETED]), default=0.0))

    async def rehearse(self, before: float, rules: ReviewRules | None) -> Rehearsed:
        """Return what reviews by these rules, and ending all holdings before this time, would do. Nothing changes."""
        other = MemoryRows(self._clock)
        other._repositories, other._contents = deepcopy((self._repositories, self._contents))
        other._due_reviews = dict(self._due_reviews)
        begun = other._condemned()
        unneeded, more = 0, rules is not None
        while more and rules is not None:
            reviewed = await other.review(rules, 99)
            unneeded, more = unneeded + reviewed.unneeded, reviewed.more
        manifests = blobs = 0
        while (ended := await other.end_holdings(before, 99)).total or ended.waiting:
            manifests, blobs = manifests + ended.manifests, blobs + ended.blobs
        done = other._condemned()
        removed = Space(done.count - begun.count, done.size - begun.size)
        return Rehearsed(unneeded, HoldingsEnded(manifests, blobs), removed)

    def _condemned(self) -> Space:
        sizes = [record.size for record, state in self._contents.values() if state is ContentState.CONDEMNED]
        return Space(len(sizes), sum(sizes))

    # keepers

    async def holdings_of(self, digest: Digest, limit: int) -> Sequence[HeldAs]:
        """Return up to `limit` holdings of this content, deleted or not."""
        found = [
            HeldAs(name, Part.CHILD, at.manifests[digest][1])
            for name, at in sorted(self._repositories.items())
            if digest in at.manifests
        ]
        found += [
            HeldAs(name, Part.BLOB, at.blobs[digest])
            for name, at in sorted(self._repositories.items())
            if digest in at.blobs
        ]
        return found[:limit]

    async def keepers_of(self, repository: RepositoryName, digest: Digest, limit: int) -> Keepers:
        """Return up to `limit` tags, and as many needed manifests of the repository, that keep this content."""
        at = self._at(repository)
        row = at.manifest(digest)
        needed = {each.digest: each for each, holding in at.manifests.values() if holding.state is HoldingState.NEEDED}
        manifests = [each.digest for each in needed.values() if digest in each.children]
        manifests += [] if row is None or row.subject not in needed else [row.subject]
        return Keepers((await self.tags_of(repository, digest))[:limit], manifests[:limit])

    async def held_by(self, repository: RepositoryName) -> Sequence[HeldTogether]:
        """Return all that a repository holds, together by kind, state and whether it counts, in this order."""
        at = self._at(repository)
        holdings = [(Part.CHILD, digest, holding) for digest, (_, holding) in at.manifests.items()]
        holdings += [(Part.BLOB, digest, holding) for digest, holding in at.blobs.items()]
        groups: dict[tuple[Part, HoldingState, bool], list[tuple[int, float]]] = {}
        for part, digest, holding in holdings:
            since = 0.0 if holding.state is HoldingState.NEEDED else holding.since
            key = (part, holding.state, at.counts(part, digest))
            groups.setdefault(key, []).append((self._size(digest), since))
        return [
            HeldTogether(
                *key,
                Space(len(found), sum(size for size, _ in found)),
                min(since for _, since in found),
                max(since for _, since in found),
            )
            for key, found in sorted(groups.items())
        ]

    # reviews

    async def review(self, rules: ReviewRules, limit: int) -> Reviewed:
        """Review up to `limit` manifests: those that nothing keeps become unneeded."""
        now, unneeded = self._clock.now(), 0
        due = [
            (name, row)
            for name, at in sorted(self._repositories.items())
            for row, holding in sorted(at.manifests.values(), key=lambda each: str(each[0].digest))
            if holding.state is HoldingState.NEEDED and not at.keeps(row)
            if self._due_reviews.get((name, row.digest), 0.0) <= now
        ]
        for name, row in due[:limit]:
            at = self._repositories[name]
            wait = rules.wait(name, self._manifests_pushed.get((name, row.digest), 0.0))
            if wait > 0:
                self._due_reviews[name, row.digest] = now + min(wait, POSTPONED)
            else:
                unneeded += 1
                at.apply_to_manifest(HoldingEvent.RELEASED, row.digest, now)
                at.release_parts(row.digest, now)
        return Reviewed(unneeded, more=len(due) > limit or unneeded > 0)

    async def page_condemned(self, after: Digest | None, limit: int) -> Sequence[ContentRecord]:
        """Return condemned content, ordered by digest, after `after`."""
        condemned = (record for record, state in self._contents.values() if state is ContentState.CONDEMNED)
        later = (record for record in condemned if after is None or record.digest > after)
        return sorted(later, key=lambda record: record.digest)[:limit]

    async def find_condemned(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is condemned."""
        record, state = self._contents.get(digest, (None, ContentState.ABSENT))
        return record if state is ContentState.CONDEMNED else None

    async def forget(self, records: Sequence[ContentRecord]) -> None:
        """Remove the rows of condemned content whose bytes were removed, and count the removals."""
        for record in records:
            self._apply_to_content(ContentEvent.REMOVED, record)
        self._removals += 1

    # mode; operations refuse changes before they come here, where nothing else keeps them out

    async def find_read_only(self) -> ReadOnlyMode | None:
        """Return the mode if it is on."""
        return self._mode

    async def begin_read_only(self, mode: ReadOnlyMode) -> None:
        """Turn the mode on."""
        self._mode = mode

    async def end_read_only(self) -> bool:
        """Turn the mode off."""
        mode, self._mode = self._mode, None
        return mode is not None

    # contents

    async def find_content(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is whole, in whatever repository."""
        return self._whole(digest)

    async def removals(self) -> int:
        """Return the number of removals so far."""
        return self._removals

    async def mark_damaged(self, record: ContentRecord) -> bool:
        """Mark content whose bytes are damaged or missing, unless they were placed again since."""
        whole = self._whole(record.digest)
        if whole is None or (whole.place, whole.version) != (record.place, record.version):
            return False
        return self._apply_to_content(ContentEvent.FOUND_DAMAGED, whole)

    async def mark_verified(self, stamps: Mapping[ContentRecord, str]) -> None:
        """Keep the stamps of bytes that are now known to be those of their digests, unless they were placed again."""
        for record, stamp in stamps.items():
            whole = self._whole(record.digest)
            if whole is not None and (whole.place, whole.version) == (record.place, record.version):
                self._contents[record.digest] = (replace(whole, stamp=stamp), ContentState.WHOLE)

    # usage

    async def find_usage(self, repository: RepositoryName) -> Usage | None:
        """Return what a repository uses."""
        return self._usage(repository) if repository in self._repositories else None

    async def page_usage(self, after: str | None, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return repositories and what they use, in ASCII order, after `after`."""
        return [(name, self._usage(name)) for name in _page(self._repositories, after, limit)]

    async def largest_usage(self, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return the repositories that use most bytes, and what they use, the largest first."""
        usages = [(name, self._usage(name)) for name in self._repositories]
        return sorted(usages, key=lambda one: (-one[1].bytes, one[0]))[:limit]

    async def total_usage(self) -> TotalUsage:
        """Return what all repositories use together."""
        usages = [astuple(self._usage(name)) for name in self._repositories]
        condemned = [record.size for record, state in self._contents.values() if state is ContentState.CONDEMNED]
        return TotalUsage(
            len(usages),
            Usage(*map(sum, zip(*usages, strict=True))),
            contents=len(self._contents) - len(condemned),
            content_bytes=sum(record.size for record, _ in self._contents.values()) - sum(condemned),
            condemned_bytes=sum(condemned),
        )

    async def amounts(self, account: Account) -> Amounts:
        """Return what an account uses."""
        return self._amounts(account)

    async def repositories_above(self, amounts: Amounts) -> Sequence[RepositoryName]:
        """Return the repositories that use at least one of these amounts."""
        return sorted(name for name in self._repositories if _reaches(self._amounts(OfRepository(name)), amounts))

    async def identities_above(self, amounts: Amounts) -> Sequence[str]:
        """Return the identities that use at least one of these amounts."""
        owners = {owner for at in self._repositories.values() for owner in at.owners.values() if owner}
        return sorted(owner for owner in owners if _reaches(self._amounts(OfIdentity(owner)), amounts))

    def _usage(self, repository: RepositoryName) -> Usage:
        at = self._at(repository)
        blobs = [(at.counts(Part.BLOB, digest), digest, holding) for digest, holding in at.blobs.items()]
        manifests = [(at.counts(Part.CHILD, digest), digest, holding) for digest, (_, holding) in at.manifests.items()]
        sizes = [(self._size(digest), counts, holding.state) for counts, digest, holding in (*blobs, *manifests)]
        deleted = sum(size for size, _, state in sizes if state is HoldingState.DELETED)
        counted = sum(size for size, counts, _ in sizes if counts)
        return Usage(
            tags=len(at.tags),
            manifests=sum(counts for counts, *_ in manifests),
            blobs=sum(counts for counts, *_ in blobs),
            bytes=counted,
            unneeded_bytes=sum(size for size, *_ in sizes) - counted - deleted,
            deleted_bytes=deleted,
        )

    def _size(self, digest: Digest) -> int:
        return self._contents[digest][0].size

    def _amounts(self, account: Account) -> Amounts:
        match account:
            case OfIdentity(identity):
                counted = [
                    (part, self._size(digest))
                    for at in self._repositories.values()
                    for (part, digest), owner in at.owners.items()
                    if owner == identity and at.counts(part, digest)
                ]
                sizes, manifests = sum(size for _, size in counted), sum(part is Part.CHILD for part, _ in counted)
                return {Measure.BYTES: sizes, Measure.TAGS: 0, Measure.MANIFESTS: manifests}
            case OfRepository(repository):
                usages = [self._usage(repository)]
            case _:
                usages = [self._usage(name) for name in self._repositories if account.matches(name)]
        return {measure: sum(getattr(usage, measure) for usage in usages) for measure in Measure}

    def _within(self, allowances: Sequence[Allowance], change: Callable[[], _T]) -> _T | OverQuota:
        """Return the result of `change`, or undo it if it exceeds an allowance."""
        if not allowances:
            return change()
        kept = {name: deepcopy(getattr(self, name)) for name in _CHANGED}
        before = [self._amounts(each.account) for each in allowances]
        outcome = change()
        for each, used in zip(allowances, before, strict=True):
            refusal = exceeded(each, used, self._amounts(each.account))
            if refusal is not None:
                vars(self).update(kept)
                return refusal
        return outcome

    def check(self) -> None:
        """Do nothing: memory can always be read."""

    async def close(self) -> None:
        """Do nothing: there is nothing to finish."""

    def _next_generation(self, row: SessionRow) -> SessionRow:
        self._sessions[row.session] = row = replace(row, generation=row.generation + 1)
        return row

    def _at(self, repository: RepositoryName) -> MemoryRepository:
        """Return the contents of the repository; an empty one if it does not exist."""
        return self._repositories.get(repository) or MemoryRepository()

    def _whole(self, digest: Digest) -> ContentRecord | None:
        record, state = self._contents.get(digest, (None, ContentState.ABSENT))
        return record if state is ContentState.WHOLE else None

    def _visible(self, digest: Digest | None) -> Digest | None:
        """Return the digest that clients see in a reference to this content: `None` while it is damaged."""
        return None if digest is None or self._whole(digest) is None else digest

    def _apply_to_content(self, event: ContentEvent, content: ContentRecord) -> bool:
        """Apply an event to content. Return whether its state allows it."""
        _record, state = self._contents.get(content.digest, (content, ContentState.ABSENT))
        after = CONTENTS[state].get(event)
        if after is ContentState.ABSENT:
            del self._contents[content.digest]
        elif after is not None:
            self._contents[content.digest] = (content, after)
        return after is not None

    def _require(self, digest: Digest, removals: int, *, placed: bool) -> ContentRemoved | None:
        """Return ContentRemoved unless content may be whole: its bytes were placed, or it is whole already."""
        _record, state = self._contents.get(digest, (None, ContentState.ABSENT))
        if not placed:
            return None if state is ContentState.WHOLE else ContentRemoved()
        removed = state is ContentState.ABSENT and removals != self._removals
        return ContentRemoved() if removed or ContentEvent.PLACED not in CONTENTS[state] else None

    def _place(self, content: ContentRecord) -> ContentRecord | None:
        """Write the row of placed content. Return a second copy of its bytes, to be removed."""
        known = self._contents.get(content.digest, (content, None))[0]
        if self._whole(content.digest) and known.place != content.place:
            return content
        self._placements += 1
        self._apply_to_content(ContentEvent.PLACED, replace(content, version=self._placements))
        return known if known.place != content.place else None

    def _refuse(self, content: ContentRecord) -> None:
        self._apply_to_content(ContentEvent.REFUSED, content)

    def _hold_blob(self, repository: RepositoryName, digest: Digest, owner: str) -> None:
        """Make the repository, created if absent, hold a blob after a push or a mount."""
        at = self._repositories.setdefault(repository, MemoryRepository())
        at.take_over(Part.BLOB, digest, owner)
        at.apply_event(HoldingEvent.NAMED, digest, self._clock.now())
        if at.needs(digest):
            at.apply_event(HoldingEvent.KEPT, digest, self._clock.now())

    def _hold_manifest(self, repository: RepositoryName, manifest: ManifestRow, owner: str) -> None:
        """Make the repository hold a manifest whose content has a row, and need its parts."""
        at = self._repositories.setdefault(repository, MemoryRepository())
        at.take_over(Part.CHILD, manifest.digest, owner)
        at.manifests[manifest.digest] = (manifest, NEEDED)
        for child in manifest.children:
            at.take_over(Part.BLOB, child, owner)
        self._manifests_pushed[repository, manifest.digest] = self._clock.now()
        at.keep(HoldingEvent.KEPT, manifest.digest, self._clock.now())


def _manifest_holdings(at: MemoryRepository) -> Mapping[Digest, Holding]:
    return {digest: holding for digest, (_, holding) in at.manifests.items()}


def _reaches(amounts: Amounts, bounds: Amounts) -> bool:
    return any(amounts[measure] >= bound for measure, bound in bounds.items())


def _holdings(at: MemoryRepository) -> Iterator[tuple[Digest, Holding]]:
    yield from at.blobs.items()
    yield from ((digest, holding) for digest, (_, holding) in at.manifests.items())


def _dated(at: MemoryRepository) -> Iterator[Holding]:
    """Yield the holdings whose start matters."""
    yield from (holding for _, holding in _holdings(at) if holding.state is not HoldingState.NEEDED)


def _reset(holding: Holding, future: float, to: float) -> Holding:
    later = holding.state is not HoldingState.NEEDED and holding.since > future
    return replace(holding, since=to) if later else holding


def _page(names: Iterable[_Name], after: str | None, limit: int) -> list[_Name]:
    """Return the first `limit` names after `after`, in ASCII order."""
    return sorted(name for name in names if after is None or name > after)[:limit]


def _age(row: SessionRow) -> tuple[float, str]:
    """Return the key that sorts sessions by the time of their last use."""
    return row.touched, row.session


def _sharer(row: SessionRow) -> tuple[str, str]:
    return row.identity, row.client


def _referrer(row: ManifestRow) -> ReferrerDescriptor:
    return ReferrerDescriptor(row.media_type, row.digest, row.size, row.artifact_type, row.annotations)
