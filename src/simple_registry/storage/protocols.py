"""What the registry asks of its stores; every adapter keeps these promises, and `tests/storage/contracts` checks them.

    put / publish ──► the content store   bytes by digest
    extend        ──► the upload store    bytes of open sessions
    rows          ──► the row stores      repositories, membership, manifests, tags, sessions, tokens

Integrity stands in front: digests and order are checked by `operations`, so a store trusts what it is given. Absence
is an answer (`None`, `False`); failure is a `StorageFault`. Whatever may wait, for a disk
or for a server, is a coroutine. One that writes returns only when what it did survives a power cut, unless its
docstring says otherwise.

The order of a push, which makes "acknowledged" mean "kept":
bytes durable → name durable → row durable. A row never stands without its file. When content goes, the row goes first.
A push of content that has a row already holds it before it replaces the file, so that nobody removes the new one.
A row that makes content reachable is written in the same transaction that asks `present()` whether the file is
there, under the lock that `GarbageRows.forget` holds while it unlinks: nobody can take away what was just found.
Where no row vouches for the content yet, being there is not enough, since another push may just have named its file and
not yet made the name durable: then `ContentStore.vouch` sees to it.
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
    Placed,
    Received,
    SessionRow,
    StoredManifest,
    TagAbsent,
    TagRemoved,
    TagsChanged,
    TokenRow,
    UnmetPart,
)

# ---------------------------------------------------------------- content


class ContentStore(Protocol):
    """Bytes by digest, shared by all repositories. That content is here proves nothing about who may read it."""

    def present(self, blob: Blob) -> bool:
        """Tell at once whether content with this digest and this size has its final name.

        Raises: StorageFault when all content is out of reach, which is not the same as this one being absent.
        """
        ...

    async def open(self, digest: Digest) -> Content | None:
        """Return the content, or `None` when it is not here. What was opened stays readable for the grace period.

        Raises: StorageFault as `present`.
        """
        ...

    def vouch(self, blob: Blob, placed: Placed | None, known: bool) -> bool:  # noqa: FBT001 (`present` of row stores)
        """Tell whether the content is there, and durable; called in a transaction that is to say so.

        It is durable where a row vouches for it (`known`) and where it is what the caller `placed`; else it is made so.
        """
        ...

    async def put(self, digest: Digest, data: bytes) -> Placed:
        """Keep small content durably, in the place of whatever is there, which also heals a damaged file."""
        ...

    def remove(self, digest: Digest) -> None:
        """Remove content; called only by `GarbageRows.forget`'s callback. Absent content is fine."""
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

    async def publish(self, session: str, received: Received, digest: Digest) -> Placed:
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

    async def find_blob(self, repository: RepositoryName, digest: Digest) -> Blob | None:
        """Return the blob if this repository holds it as a blob."""
        ...

    async def page_holders(self, digest: Digest, after: RepositoryName | None, limit: int) -> Sequence[RepositoryName]:
        """Return the repositories that hold this blob, in order of name, beginning after `after`."""
        ...

    async def add_blob(
        self,
        repository: RepositoryName,
        blob: Blob,
        *,
        present: Callable[[bool], bool],
        session: str | None = None,
    ) -> BlobAdded | ContentRemoved:
        """Make the repository hold the blob (and exist), and drop the session's row; already holding it is fine.

        `present` gets, in the transaction, whether a row vouches for the content already, and returns whether the
        content is there.
        """
        ...

    async def mount_blob(
        self, repository: RepositoryName, digest: Digest, source: RepositoryName, *, present: Callable[[Blob], bool]
    ) -> Blob | None:
        """Make the repository hold a blob that `source` holds in the same moment.

        Returns `None`, and changes nothing, when `source` does not hold it, or when `present` says in the transaction
        that the content is gone.
        """
        ...

    async def remove_blob(self, repository: RepositoryName, digest: Digest) -> bool:
        """Make the repository hold the blob no more. Returns whether it did. The content stays."""
        ...


class ManifestRows(Protocol):
    """The manifests of repositories, and what refers to what."""

    async def find_manifest(self, repository: RepositoryName, digest: Digest) -> StoredManifest | None:
        """Return the manifest if this repository holds it."""
        ...

    async def find_tagged(self, repository: RepositoryName, tag: Tag) -> StoredManifest | None:
        """Return the manifest that the tag points at, as of one moment."""
        ...

    async def unmet_parts(
        self, repository: RepositoryName, parts: Sequence[DescribedPart], *, present: Callable[[Blob], bool]
    ) -> Sequence[UnmetPart]:
        """Return the parts that are not in the repository as described, in order.

        A part whose content is not there, as `present` tells, is absent. Many parts are looked up beside the event
        loop; `present` is called there.
        """
        ...

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
        """Make the repository hold the manifest, and point `tags` at it, all or nothing; repeating it is fine.

        `precondition` is asked of each tag, or of the manifest's digest when there are no tags; `present` as in
        `BlobRows.add_blob`.

        When it is not stored, nothing was changed, except that its content, which has a file by then, counts as unheld.
        """
        ...

    async def remove_manifest(
        self, repository: RepositoryName, digest: Digest, *, tags: Sequence[Tag]
    ) -> ManifestRemoved | ManifestAbsent | TagsChanged:
        """Remove the manifest from the repository, and `tags`, which must be all that point at it at that moment."""
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

        As many as take about `size` bytes, at least one, and whether more follow. They are the size that clients made
        them; no more of them is read.
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

    async def known(self, digest: Digest) -> bool:
        """Return whether any row, of any repository or none, vouches for durable bytes of this digest."""
        ...


class GarbageRows(Protocol):
    """Content that no repository holds any more, and the times by which things get old."""

    async def is_dated_after(self, future: float) -> bool:
        """Tell whether content counts as unheld, or a session as touched, since later than this time."""
        ...

    async def bring_back(self, future: float, *, to: float) -> None:
        """Date what `is_dated_after` finds `to` this time: the clock was wrong when it was written."""
        ...

    async def page_unheld(self, before: float, limit: int) -> Sequence[Digest]:
        """Return content that no repository has held, as blob or manifest, since before this time."""
        ...

    async def forget(self, digest: Digest, *, before: float, remove: Callable[[], None]) -> bool:
        """Remove the row of content still unheld since before this time, durably; then call `remove`.

        No row that makes the content reachable can be written between the check and the end of `remove`.
        Returns whether it was removed.
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
