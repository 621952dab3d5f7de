"""What the registry asks of its stores; every adapter keeps these promises, and `tests/storage/contracts` checks them.

    put / publish ──► the content store   bytes by digest
    extend        ──► the upload store    bytes of open sessions
    rows          ──► the row stores      repositories, holdings, manifests, tags, sessions, tokens

Integrity is in front of them: digests and order are checked by `operations`, so a store trusts what it is given.
Absence is an answer (`None`, `False`); failure is a `StorageFault`. Whatever may wait, for a disk or for a server, is a
coroutine. One that writes returns only when what it did survives a power cut, unless its docstring says otherwise.

The order of a push, which makes "acknowledged" mean "kept": bytes durable at their place → row durable. A row of
content that is whole vouches for its bytes by itself (`life`), so no store asks another one. When content goes, its row
says so first (*condemned*), then the bytes go, then the row. `operations.contents` has both orders.
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
from simple_registry.storage.records import (
    BlobAdded,
    ContentRecord,
    ContentRemoved,
    DescribedPart,
    FoundParts,
    ManifestAbsent,
    ManifestRemoved,
    ManifestRow,
    ManifestStored,
    PartsUnmet,
    Place,
    Received,
    SessionRow,
    StoredBlob,
    StoredManifest,
    TagAbsent,
    TagRemoved,
    TagsChanged,
    TokenRow,
)

# ---------------------------------------------------------------- content


class ContentStore(Protocol):
    """Bytes by digest, shared by all repositories. That content is here proves nothing about who may read it."""

    async def open(self, record: ContentRecord) -> Content | None:
        """Return the content, or `None` when bytes of this size are not at its place.

        What was opened stays readable for the grace period.

        Raises: StorageFault when all content is out of reach, which is not the same as this one being absent.
        """
        ...

    async def has(self, record: ContentRecord) -> bool:
        """Return whether bytes of this size are at its place; a store that trusts its records may return `True`.

        Raises: StorageFault as `open`.
        """
        ...

    async def put(self, digest: Digest, data: bytes) -> Place:
        """Keep small content durably, which also heals damaged bytes. Returns where."""
        ...

    async def remove(self, record: ContentRecord) -> None:
        """Remove the bytes at a place. Absent ones are fine."""
        ...

    def check(self) -> None:
        """Raise StorageFault unless content can be looked for. Used by `/readyz`."""
        ...


class Condition(StrEnum):
    """What can be done to a store besides reading it."""

    WRITABLE = "writable"
    FULL = "full"
    READ_ONLY = "read-only"


class UploadStore(Protocol):
    """Bytes of upload sessions. What a session has received is a value (`Received`), which its row keeps.

    The caller holds the session (`SessionRows.hold`) while it changes anything. A session that never received a byte
    has nothing here.
    """

    def condition(self) -> Condition:
        """Return whether bytes can be written, which is tried. Used by `/readyz`."""
        ...

    def require_room(self) -> None:
        """Raise StorageFull, or StorageReadOnly, when it is plain, at a glance, that no upload can succeed."""
        ...

    async def has(self, session: str, received: Received) -> bool:
        """Return whether the received bytes are here."""
        ...

    async def extend(
        self, session: str, received: Received, algorithm: str, stream: ByteStream, *, last: bool = False
    ) -> Received:
        """Add a stream to what was received, durably; an empty one changes nothing and returns `received`.

        A call that fails leaves `received` true: later bytes do not count, and the next call replaces them. What the
        stream raises passes through. With `last`, `publish` or `discard` follows, and the bytes need not be durable
        before. Where another process received the bytes so far, they are read once to be hashed.

        Raises: SessionBytesMissing when the received bytes are not here.
        """
        ...

    async def digest(self, session: str, received: Received, algorithm: str) -> Digest:
        """Read the received bytes and return their digest in `algorithm`."""
        ...

    async def publish(self, session: str, received: Received, digest: Digest) -> Place:
        """Make the received bytes, whose digest was verified, durable under their final name in the content store.

        They replace whatever is there, which also heals damaged content. Calling it twice is fine.

        Raises: SessionBytesMissing.
        """
        ...

    async def discard(self, session: str, received: Received) -> None:
        """Remove all that the session has here, also beyond what was received. An absent session is fine."""
        ...

    async def abandoned(self, before: float) -> Sequence[str]:
        """Return sessions last written before this time, and not being written; some of them may be open."""
        ...


# ---------------------------------------------------------------- rows


class BlobRows(Protocol):
    """Which repository holds which blob."""

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> StoredBlob | None:
        """Return the blob if this repository holds it, not deleted, and its content is whole."""
        ...

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold this blob, in order of name, beginning after `after`."""
        ...

    async def add_blob(
        self, repository: RepositoryName, content: ContentRecord, *, removals: int, session: str | None = None
    ) -> BlobAdded | ContentRemoved:
        """Make the repository hold (and exist with) a blob whose bytes were placed, and remove the session's row.

        `removals` is `ContentRows.removals()` from before they were placed. Repeating it is fine.
        """
        ...

    async def mount_blob(
        self, repository: RepositoryName, digest: Digest, source: RepositoryName
    ) -> ContentRecord | None:
        """Make the repository hold a blob that `source` holds at the same moment.

        Returns `None`, and changes nothing, when `source` does not hold it, or its content is not whole.
        """
        ...

    async def renew_blob(self, repository: RepositoryName, digest: Digest, event: HoldingEvent) -> bool:
        """Let an event (asked, seen or restored) happen to a holding that exists. Returns whether it changed anything.

        A power cut may take it back.
        """
        ...

    async def remove_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Delete the blob from the repository. Returns whether it held it."""
        ...


class ManifestRows(Protocol):
    """The manifests of repositories, and what refers to what."""

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it, not deleted, and its content is whole."""
        ...

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at, as of one moment."""
        ...

    async def find_parts(self, repository: RepositoryName, parts: Sequence[DescribedPart]) -> FoundParts:
        """Return which parts the repository holds, and which are not in it as described.

        Many parts are looked up beside the event loop.
        """
        ...

    async def put_manifest(
        self,
        repository: RepositoryName,
        manifest: ManifestRow,
        *,
        place: Place | None,
        removals: int,
        tags: Sequence[Tag],
        parts: Sequence[DescribedPart],
        precondition: Precondition = UNCONDITIONAL,
    ) -> ManifestStored | PartsUnmet | PreconditionUnmet | ContentRemoved:
        """Make the repository hold the manifest, and point `tags` at it, all or nothing; repeating it is fine.

        `place` is where its bytes were placed, with `removals` as in `add_blob`; `None` when none were, because the
        content was whole. `precondition` is asked of each tag, or of the manifest's digest when there are no tags.
        When it is refused, bytes that were placed and have no row get one, as condemned.
        """
        ...

    async def remove_manifest(
        self, repository: RepositoryName, digest: Digest, *, tags: Sequence[Tag]
    ) -> ManifestRemoved | ManifestAbsent | TagsChanged:
        """Delete the manifest from the repository, and remove `tags`, which must be all that point at it then.

        Its parts stay needed until the grace has passed.
        """
        ...

    async def page_referrers(
        self,
        repository: RepositoryName,
        subject: Digest,
        *,
        artifact_type: str | None,
        after: Digest | None,
        size: int,
    ) -> tuple[Sequence[ReferrerDescriptor], bool]:
        """Return manifests of the repository with this subject, in order of digest text, beginning after `after`.

        Damaged ones are left out, as they cannot be read. As many as take about `size` bytes, at least one, and whether
        more follow. They are the size that clients made them; no more of them is read.
        """
        ...


class TagRows(Protocol):
    """The tags of repositories, in ASCII order."""

    async def tags_of(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at this manifest."""
        ...

    async def page_tags(self, repository: RepositoryName, after: str | None, limit: int) -> Sequence[Tag]:
        """Return tags in ASCII order, beginning after `after` (which need not exist)."""
        ...

    async def remove_tag(
        self, repository: RepositoryName, tag: Tag, *, precondition: Precondition = UNCONDITIONAL
    ) -> TagRemoved | TagAbsent | PreconditionUnmet:
        """Remove this tag only, if it is there and the precondition holds."""
        ...


class RepositoryRows(Protocol):
    """Repositories. One exists from its first blob or manifest on."""

    async def has_repository(self, repository: RepositoryName) -> bool:
        """Tell whether the repository exists."""
        ...

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold a manifest, in ASCII order, beginning after `after`."""
        ...


class SessionRows(Protocol):
    """Open upload sessions, and which request holds one."""

    def hold(self, session: str) -> AbstractAsyncContextManager[SessionRow | None]:
        """Hold a session, and return its row as of now; `None` when it has no row, which changes nothing else.

        One request in all processes holds it, until the block ends or the process does.

        Raises (on entering): SessionBusy, at once, when another request holds it.
        """
        ...

    async def add_session(self, row: SessionRow, *, limit: int, share: int) -> bool:
        """Keep a new session, which holds nothing yet: a power cut may take it back until the session is updated.

        Returns `False`, and changes nothing, when `limit` sessions are open, or `share` of this identity and client.
        """
        ...

    async def find_session(self, session: str) -> SessionRow | None:
        """Return the session."""
        ...

    async def claim_session(self, session: str) -> SessionRow | None:
        """Begin the next generation of a session for a newer request, and return its row; `None` when it is gone.

        From then on no older request updates the row. A power cut may take the claim back: it ends both requests.
        """
        ...

    async def update_session(self, row: SessionRow) -> SessionRow | None:
        """Replace the session's row by `row` in its next generation, which is returned.

        Returns `None`, and changes nothing, when the session is gone or has another generation than `row`.
        """
        ...

    async def remove_session(self, session: str) -> bool:
        """Remove the session. Returns whether it was there."""
        ...

    async def count_sessions(self) -> int:
        """Return how many sessions are open."""
        ...

    async def page_sessions(self, after: str, limit: int) -> Sequence[SessionRow]:
        """Return open sessions in order of their ids, beginning after `after`."""
        ...

    async def page_empty(
        self, identity: str, client: str, after: SessionRow | None, limit: int
    ) -> Sequence[SessionRow]:
        """Return sessions of an identity and a client that have received nothing, the longest untouched first.

        They begin after that of the row `after`, as it was read.
        """
        ...


class TokenRows(Protocol):
    """Tokens that the registry issued. A token that was revoked has no row; one that expired keeps it for a while."""

    async def find_token(self, secret_hash: bytes) -> TokenRow | None:
        """Return the token whose secret has this hash."""
        ...

    async def find_token_by_id(self, token_id: str) -> TokenRow | None:
        """Return the token of this id."""
        ...

    async def page_tokens(self, owner: str | None, after: str | None, limit: int) -> Sequence[TokenRow]:
        """Return tokens of this owner, or of everybody, in order of their ids, beginning after `after`."""
        ...

    async def add_token(self, row: TokenRow, *, limit: int) -> bool:
        """Keep a new token. Returns `False`, and changes nothing, when its owner already has `limit` of them."""
        ...

    async def remove_token(self, token_id: str) -> bool:
        """Remove a token. Returns whether it was there."""
        ...

    async def touch_token(self, token_id: str, when: float) -> None:
        """Note that a token was used; an earlier time than the one noted, or a token that is gone, is fine.

        A power cut may take the note back.
        """
        ...

    async def remove_expired_tokens(self, before: float) -> int:
        """Remove the tokens that expired before this time. Returns how many."""
        ...

    async def token_owners(self) -> Mapping[str, float | None]:
        """Return the owners of tokens, with the time since when all tokens of an owner have been marked, or `None`."""
        ...

    async def mark_owner(self, owner: str, unknown_since: float | None) -> None:
        """Mark all tokens of an owner that is unknown since a time; `None` takes the marks away."""
        ...

    async def remove_tokens_of(self, owner: str) -> Sequence[TokenRow]:
        """Remove the tokens of an owner. Returns what they were."""
        ...


class ContentRows(Protocol):
    """The content that rows vouch for."""

    async def find_content(self, digest: Digest) -> ContentRecord | None:
        """Return content that is whole, held by whatever repository."""
        ...

    async def removals(self) -> int:
        """Return how often content was removed: a push looks before it places bytes, and asks again with its row."""
        ...

    async def mark_damaged(self, record: ContentRecord) -> bool:
        """Mark content whose bytes are not at its place, or not those of its digest.

        Returns `False`, and changes nothing, when it is not whole, or its bytes were placed again since `record` was
        read. A power cut may take the mark back.
        """
        ...


class GarbageRows(Protocol):
    """Holdings whose grace has passed, content that nothing holds, and the times by which things get old."""

    def collecting(self) -> AbstractAsyncContextManager[None]:
        """Hold the right to remove content for the block, as the only one in all processes; waits for it.

        Raises (on entering): StorageFault.
        """
        ...

    async def is_dated_after(self, future: float) -> bool:
        """Return whether a holding counts as deleted or unneeded, or a session as touched, since later than this."""
        ...

    async def bring_back(self, future: float, *, to: float) -> None:
        """Date what `is_dated_after` finds `to` this time: the clock was wrong when it was written."""
        ...

    async def end_holdings(self, before: float, limit: int) -> None:
        """End up to `limit` holdings that were deleted before this time, and condemn content that nothing holds."""
        ...

    async def page_condemned(self, after: Digest | None, limit: int) -> Sequence[ContentRecord]:
        """Return condemned content in order of digests, beginning after `after`."""
        ...

    async def find_condemned(self, digest: Digest) -> ContentRecord | None:
        """Return content that is condemned."""
        ...

    async def forget(self, records: Sequence[ContentRecord]) -> None:
        """Remove the rows of condemned content whose bytes were removed; the number of removals grows with that.

        A push that counted before this commit, and placed bytes that were then removed, learns of it by the number.
        """
        ...


@dataclass(frozen=True, slots=True)
class Rows:
    """All rows of one database. Each operation asks for those that it needs.

    `check` raises StorageFault unless rows can be read; `close` finishes the writes under way.
    """

    blobs: BlobRows
    manifests: ManifestRows
    tags: TagRows
    repositories: RepositoryRows
    sessions: SessionRows
    tokens: TokenRows
    contents: ContentRows
    garbage: GarbageRows
    check: Callable[[], None]
    close: Callable[[], Awaitable[None]]
