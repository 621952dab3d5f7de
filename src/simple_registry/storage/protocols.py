"""The protocols of stores. Every adapter implements them, and `tests/storage/contracts` checks it.

    put / publish ──► the content store   bytes by digest
    extend        ──► the upload store    bytes of open sessions
    rows          ──► the row stores      repositories, holdings, manifests, tags, sessions, tokens

`operations` verifies digests and orders chunks, so a store trusts its arguments. Absence is a result (`None`, `False`),
failure is a `StorageFault`. A method that may wait for a disk or a server is a coroutine. One that writes returns only
when its change survives a power cut, unless its docstring says otherwise.

A push makes the bytes durable at their place before their row: so acknowledged content is kept. A row of whole content
guarantees its bytes (`life`), so no store calls another. A removal first condemns the row, then removes the bytes, then
the row. `operations.contents` has both orders.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from simple_registry.content import ByteStream, Content
from simple_registry.oci.descriptors import ReferrerDescriptor
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.life import HoldingEvent
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.quotas import Account, Allowance, Amounts, OverQuota
from simple_registry.storage.records import (
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
    HoldingsEnded,
    JournalAction,
    JournalEvent,
    Keepers,
    ManifestAbsent,
    ManifestGone,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    PartsUnmet,
    Place,
    Placed,
    Pull,
    ReadOnlyMode,
    Received,
    Rehearsed,
    RepositoryAbsent,
    RepositoryRemoved,
    RepositorySummary,
    Restored,
    Reviewed,
    ReviewRules,
    SessionRow,
    StillNeeded,
    StoredBlob,
    StoredManifest,
    TagAbsent,
    TagPointed,
    TagPosition,
    TagProtected,
    TagRemoved,
    TagRow,
    TagsChanged,
    TokenRow,
    TotalUsage,
    Usage,
    Waiting,
)

# ---------------------------------------------------------------- content


class ContentStore(Protocol):
    """Bytes by digest, shared by all repositories. Their existence gives no access: only a row does."""

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` if bytes of this size are not at its place.

        Opened content stays readable for the grace.

        Raises: StorageFault when all content is out of reach, as opposed to the absence of this one.
        """

    async def has(self, record: ContentRecord) -> bool:
        """Return whether bytes of this size are at its place. A store whose files only it changes may return `True`.

        Raises: StorageFault, as `open`.
        """

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Store small content durably, replacing damaged bytes. Return its place."""

    async def remove(self, record: ContentRecord) -> None:
        """Remove the bytes at a place, if there are any."""

    def check(self) -> None:
        """Raise StorageFault unless content can be found. Used by `/readyz`."""


class Condition(StrEnum):
    """Whether a store can be written to."""

    WRITABLE = "writable"
    FULL = "full"
    READ_ONLY = "read-only"


class UploadStore(Protocol):
    """Bytes of upload sessions. The received bytes of a session are a value (`Received`), which its row keeps.

    The caller holds the session (`SessionRows.hold`) during changes. A session without received bytes stores nothing.
    """

    def condition(self) -> Condition:
        """Return whether bytes can be written; this tries it. Used by `/readyz`."""

    def require_room(self) -> None:
        """Raise StorageFull or StorageReadOnly if a quick check shows that no upload can succeed."""

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the store has the received bytes."""

    async def extend(
        self, session: str, received: Received, algorithm: str, stream: ByteStream, *, last: bool = False
    ) -> Received:
        """Append a stream to the received bytes, durably. Return the new value, or `received` if the stream was empty.

        After a failure `received` is still true: later bytes do not count, and the next call replaces them. After
        `last`, `publish` or `discard` follows, and the bytes need not be durable before. Bytes that another process
        received are read once to hash them.

        Raises: SessionBytesMissing when the received bytes are missing, and what the stream raises.
        """

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Read the received bytes and return their digest in `algorithm`."""

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
        """Make the received bytes, whose digest was verified, durable under their final name in the content store.

        They replace present bytes, which may be damaged. A second call has no effect.

        Raises: SessionBytesMissing.
        """

    async def discard(self, session: str, received: Received) -> None:
        """Remove all bytes of the session, if there are any, also those beyond `received`."""

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time and not being written. They may still be open."""


# ---------------------------------------------------------------- rows


class BlobRows(Protocol):
    """The blobs of repositories."""

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob if this repository holds it, not deleted, and its content is whole."""

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold this blob, ordered by name, after `after`."""

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
        """Make the repository, created if absent, hold a blob whose bytes were placed, and remove the session's row.

        `removals` is `ContentRows.removals()` from before they were placed. The blob counts for its actor, unless it
        counts for another one already. The call may be repeated. When the push is refused, placed bytes without a row
        get one, as condemned.
        """

    async def mount_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        source: RepositoryName,
        *,
        actor: Actor,
        allowances: Sequence[Allowance] = (),
    ) -> ContentRecord | OverQuota | None:
        """Make the repository hold a blob of `source`, as `add_blob` does.

        Returns `None`, and changes nothing, if `source` does not hold it at that moment or its content is not whole.
        """

    async def renew_blob(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event (asked or seen) to a holding. Return whether it changed anything.

        A power cut may undo the change.
        """

    async def remove_blob(
        self,
        repository: RepositoryName,
        digest: Digest,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        unless_needed: bool = False,
    ) -> BlobRemoved | BlobAbsent | PreconditionUnmet | StillNeeded:
        """Delete the blob from the repository if the precondition holds, for which damaged content counts as absent.

        With `unless_needed`, only if no manifest of the repository refers to it, except deleted ones.
        """


class ManifestRows(Protocol):
    """The manifests of repositories, their parts and their referrers."""

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it, not deleted, and its content is whole."""

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at; both are read in one transaction."""

    async def find_parts(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> FoundParts:
        """Return the parts that the repository holds, and those that it does not hold as described.

        Many parts are looked up in a thread.
        """

    async def find_referring(self, repository: RepositoryName, digest: Digest) -> Digest | None:
        """Return a manifest of the repository, not deleted, that refers to this content, if there is one."""

    async def total_size(self, repository: RepositoryName, digest: Digest, limit: int) -> int | None:
        """Return the bytes of a manifest and of all below it, each content once; `None` for more than `limit` contents.

        They are read in a thread.
        """

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
        """Make the repository hold the manifest, and point `tags` at it, or change nothing. The call may be repeated.

        The manifest, and parts that did not count before, count for the actor.

        `place` is the place of its new bytes, with their `stamp`, and `removals` as in `add_blob`, or `None` if the
        content was whole already. `precondition` must hold for each tag, or for the manifest's digest if there are no
        tags; damaged manifests count as absent. Then no tag may move that `guard` keeps. When the push is refused,
        placed bytes without a row get one, as condemned.
        """

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
        """Delete the manifest from the repository, and remove `tags`, which must be all tags that point at it.

        `precondition` must hold for the digest; a damaged manifest counts as absent. Then `guard` must keep none of
        the tags; with `unless_needed`, no manifest of the repository may refer to it, except deleted ones. Parts that
        no other needed manifest refers to become unneeded.
        """

    async def renew_manifest(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Apply an event (asked or seen) to an unneeded manifest and all that ends with it: parts and referrers.

        Return whether it changed anything. A power cut may undo the change.
        """

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests of the repository with this subject, ordered by digest text, after `after`.

        Damaged ones, which cannot be read, are omitted. The page has about `size` bytes, but at least one manifest; it
        comes with whether more follow. No more rows are read, since clients decide their size.
        """


class TagRows(Protocol):
    """The tags of repositories, in ASCII order."""

    async def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at this manifest."""

    async def page_tags(self, repository: RepositoryName, after: str | None, limit: int) -> Sequence[Tag]:
        """Return tags in ASCII order after `after`, which need not exist."""

    async def remove_tag(
        self,
        repository: RepositoryName,
        tag: Tag,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
    ) -> TagRemoved | TagAbsent | PreconditionUnmet | TagProtected:
        """Remove this tag if it exists, the precondition holds, and `guard` does not keep it.

        For the precondition a damaged manifest counts as absent.
        """


class TagTimes(Protocol):
    """When tags were pushed and pulled, and which of them go for that."""

    async def dated_tags(self, repository: RepositoryName) -> Sequence[TagRow]:
        """Return all tags of a repository, as they are at one moment, in ASCII order. They are read in a thread."""

    async def last_pushed_tags(
        self, repository: RepositoryName, *, containing: str, after: TagPosition | None, limit: int
    ) -> Sequence[TagRow]:
        """Return tags with a text in their names, the last pushed first, after `after`, which need not exist.

        Letters match in either case. The tags are read in a thread.
        """

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
        """Return tags with a text in their names in the order of a key, which differs for each, after `after`."""

    async def record_pulls(self, pulls: Sequence[Pull], *, apart: float) -> None:
        """Record the last pulls of tags: of the tag, or of all that point at the digest.

        A tag that was pulled less than `apart` seconds before is not written. A power cut may undo this.
        """

    async def owners(self, repository: RepositoryName, digests: Sequence[Digest]) -> Mapping[Digest, bool]:
        """Return those of these manifests that the repository holds, and whether another one keeps each."""

    async def retire_tags(
        self, repository: RepositoryName, tags: Sequence[TagRow], *, actor: Actor, owners: Mapping[Tag, Digest]
    ) -> Sequence[Tag]:
        """Remove those of these tags that are still as they were read. Return them.

        Those that belong to one of the `owners` stay if that has a tag, or another manifest keeps it.
        """

    async def retention_runs(self) -> Mapping[str, float]:
        """Return when each Retention ran."""

    async def keep_retention_runs(self, runs: Mapping[str, float]) -> None:
        """Replace what `retention_runs` returns."""


class RepositoryRows(Protocol):
    """Repositories. One exists while it holds a blob or a manifest, deleted or not."""

    async def is_listed(self, repository: RepositoryName) -> bool:
        """Return whether the repository holds a manifest."""

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold a manifest, in ASCII order, after `after`."""

    async def search_repositories(
        self, text: str, below: str, after: str | None, limit: int, skip: int = 0
    ) -> Sequence[RepositorySummary]:
        """Return those whose names contain `text` and begin with `below`, in ASCII order, after `after`.

        The first `skip` of them are left out.
        """


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


class SessionRows(Protocol):
    """Open upload sessions, and the requests that hold them."""

    def hold(self, session: str) -> AbstractAsyncContextManager[SessionRow | None]:
        """Hold a session, and return its present row; `None` if it has none, in which case it is held too.

        One request in all processes holds it, until the block or the process ends.

        Raises (on entering): SessionBusy, at once, when another request holds it.
        """

    async def add_session(self, row: SessionRow, *, limit: int, share: int) -> bool:
        """Add a new session without bytes. A power cut may undo this until the session is updated.

        Returns `False`, and changes nothing, if `limit` sessions are open, or `share` of this identity and client.
        """

    async def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""

    async def claim_session(self, session: str) -> SessionRow | None:
        """Begin the next generation of a session for a newer request. Return its row, or `None` if it has ended.

        From then on no older request can update the row. A power cut may undo the claim: it ends both requests.
        """

    async def update_session(self, row: SessionRow) -> SessionRow | None:
        """Replace the session's row by `row` in its next generation. Return the new row.

        Returns `None`, and changes nothing, if the session has ended or has another generation than `row`.
        """

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Return whether it existed."""

    async def count_sessions(self) -> int:
        """Return the number of open sessions."""

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions, ordered by id, after `after`."""

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return empty sessions of an identity and a client, the longest untouched first, after `after`."""


class TokenRows(Protocol):
    """Issued tokens. A revoked token has no row; an expired one keeps it for a while."""

    async def find_token(self, secret_hash: bytes) -> TokenRow | None:
        """Return the token whose secret has this hash."""

    async def find_token_by_id(self, token_id: str) -> TokenRow | None:
        """Return the token with this id."""

    async def page_tokens(self, owner: str | None, after: str | None, limit: int) -> Sequence[TokenRow]:
        """Return tokens of this owner, or of all, ordered by id, after `after`."""

    async def add_token(self, row: TokenRow, *, limit: int) -> bool:
        """Add a token. Returns `False`, and changes nothing, if its owner already has `limit` tokens."""

    async def remove_token(self, token_id: str) -> bool:
        """Remove a token. Return whether it existed."""

    async def touch_token(self, token_id: str, when: float) -> None:
        """Record a use of a token, if the token exists and has no later one. A power cut may undo this."""

    async def remove_expired_tokens(self, before: float) -> int:
        """Remove the tokens that expired before this time. Return their number."""

    async def token_owners(self) -> Mapping[str, float | None]:
        """Return the owners of tokens, each with the time of the mark that all its tokens have, or `None`."""

    async def mark_owner(self, owner: str, unknown_since: float | None) -> None:
        """Mark all tokens of an owner as those of an unknown user since a time; `None` removes the marks."""

    async def remove_tokens_of(self, owner: str) -> Sequence[TokenRow]:
        """Remove the tokens of an owner. Return them."""


class EndedWebSessionRows(Protocol):
    """Web sessions that ended before they expired; the others have no row."""

    async def has_ended(self, session_id: str) -> bool:
        """Return whether a web session ended."""

    async def end_web_session(self, session_id: str, expires: float) -> None:
        """Record that a web session, which would expire at this time, ended."""

    async def forget_web_sessions(self, before: float) -> int:
        """Remove the rows of web sessions that would have expired before this time. Return their number."""


class ContentRows(Protocol):
    """Content, as rows record it."""

    async def find_content(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is whole, in whatever repository."""

    async def removals(self) -> int:
        """Return the number of removals so far. A push reads it before it places bytes, and passes it with the row."""

    async def mark_damaged(self, record: ContentRecord) -> bool:
        """Mark content whose bytes are not at its place, or are not those of its digest. Return whether it was whole.

        Changes nothing if the bytes were placed again since `record` was read. A power cut may undo the mark.
        """

    async def mark_verified(self, stamps: Mapping[ContentRecord, str]) -> None:
        """Record that bytes of these stamps are now known to be those of their digests.

        Changes no row whose bytes were placed again since the record was read. A power cut may undo the marks.
        """


class UsageRows(Protocol):
    """What repositories and identities use, exact in each transaction."""

    async def find_usage(self, repository: RepositoryName) -> Usage | None:
        """Return what a repository uses."""

    async def page_usage(self, after: str | None, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return repositories and what they use, in ASCII order, after `after`."""

    async def largest_usage(self, limit: int) -> Sequence[tuple[RepositoryName, Usage]]:
        """Return the repositories that use most bytes, and what they use, the largest first."""

    async def total_usage(self) -> TotalUsage:
        """Return what all repositories use together."""

    async def amounts(self, account: Account) -> Amounts:
        """Return what an account uses."""

    async def repositories_above(self, amounts: Amounts) -> Sequence[RepositoryName]:
        """Return the repositories that use at least one of these amounts, in ASCII order."""

    async def identities_above(self, amounts: Amounts) -> Sequence[str]:
        """Return the identities that use at least one of these amounts, in ASCII order."""


class GarbageRows(Protocol):
    """Expired holdings, content without holdings, and the times by which rows expire."""

    def collecting(self, *, only_reading: bool = False) -> AbstractAsyncContextManager[None]:
        """Wait for the right to remove content, and hold it for the block. One request in all processes holds it.

        A block that is `only_reading` keeps collectors away and removes nothing: it is entered in read-only mode, too.

        Raises (on entering): InReadOnlyMode, StorageFault.
        """

    def removing(self) -> AbstractAsyncContextManager[bool]:
        """Hold the right to remove bytes for the block. Yield whether there is one: a backup keeps all bytes.

        Raises (on entering): StorageFault.
        """

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding became deleted or unneeded, or a session was touched, after this time."""

    async def reset_times(self, future: float, *, to: float) -> None:
        """Set the times that `is_dated_after` finds to `to`: a wrong clock wrote them."""

    async def end_holdings(self, before: float, limit: int) -> HoldingsEnded:
        """End up to `limit` holdings that were deleted or unneeded before this time: manifests first, oldest first.

        At most half are manifests, so that blobs, which take the space, end as early as theirs.
        A holding to which a manifest refers, whatever its state, waits for that manifest; only what a client deleted
        does not wait for one that is needed. Content without holdings is condemned, and a repository that holds nothing
        is removed.
        """

    async def waiting(self) -> Waiting:
        """Return what waits for the end of its grace. Its cost follows their number: it is read in a thread."""

    async def rehearse(self, before: float, rules: ReviewRules | None) -> Rehearsed:
        """Return what reviews by these rules, and ending all holdings before this time, would do. Nothing changes."""

    async def page_condemned(self, after: Digest | None, limit: int) -> Sequence[ContentRecord]:
        """Return condemned content, ordered by digest, after `after`."""

    async def find_condemned(self, digest: Digest) -> ContentRecord | None:
        """Return the content if it is condemned."""

    async def forget(self, records: Sequence[ContentRecord]) -> None:
        """Remove the rows of condemned content whose bytes were removed, and count the removals.

        The count shows a push that the bytes it placed before this commit may have been removed.
        """


class ModeRows(Protocol):
    """The read-only mode: while it is on, every other change of rows raises InReadOnlyMode, in all processes."""

    async def find_read_only(self) -> ReadOnlyMode | None:
        """Return the mode if it is on."""

    async def begin_read_only(self, mode: ReadOnlyMode) -> None:
        """Turn the mode on, or replace its reason and its start. No change is committed after that."""

    async def end_read_only(self) -> bool:
        """Turn the mode off. Return whether it was on."""


class CollectionRows(Protocol):
    """The last collection of each origin."""

    async def keep_collection(self, row: CollectionRow) -> None:
        """Keep a collection instead of the last one of its origin. A power cut may undo that."""

    async def last_collections(self) -> Sequence[CollectionRow]:
        """Return the last collection of each origin, the newest first."""


class ReviewRows(Protocol):
    """The manifests without a tag that may have lost what keeps them."""

    async def review(self, rules: ReviewRules, limit: int) -> Reviewed:
        """Review up to `limit` manifests whose review is due.

        One with a tag, whose subject is a needed manifest, or to which a needed manifest refers, is kept; its
        review comes again when that ends. One that `rules` keep is reviewed again within a day. Others become unneeded.
        """


class KeeperRows(Protocol):
    """What keeps content, for explanations."""

    async def holdings_of(self, digest: Digest, limit: int) -> Sequence[HeldAs]:
        """Return up to `limit` holdings of this content, deleted or not."""

    async def keepers_of(self, repository: RepositoryName, digest: Digest, limit: int) -> Keepers:
        """Return up to `limit` tags, and as many needed manifests of the repository, that keep this content."""

    async def held_by(self, repository: RepositoryName) -> Sequence[HeldTogether]:
        """Return all that a repository holds, together by kind, state and whether it counts, in this order."""


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of one database. Each operation takes those that it needs.

    `check` raises StorageFault unless rows can be read; `close` finishes pending writes.
    """

    blobs: BlobRows
    manifests: ManifestRows
    tags: TagRows
    tag_times: TagTimes
    repositories: RepositoryRows
    journal: JournalRows
    undo: UndoRows
    sessions: SessionRows
    tokens: TokenRows
    web_sessions: EndedWebSessionRows
    contents: ContentRows
    garbage: GarbageRows
    collections: CollectionRows
    reviews: ReviewRows
    keepers: KeeperRows
    mode: ModeRows
    usage: UsageRows
    check: Callable[[], None]
    close: Callable[[], Awaitable[None]]
