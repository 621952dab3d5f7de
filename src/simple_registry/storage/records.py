"""Records of stores, and the results of changes, as values. The methods are in `protocols`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, NewType

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference, RepositoryName, Tag
from simple_registry.storage.life import HoldingState

Place = NewType("Place", str)
"""Where a content store keeps the bytes of some content; only that store interprets it.

The local store derives the place from the digest and returns the empty text; an object store returns a unique key.
"""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a content store keeps bytes that were verified, and their stamp (`Content.stamp`)."""

    place: Place = Place("")
    stamp: str = ""


@dataclass(frozen=True, slots=True)
class Actor:
    """The maker of a change: an identity, how it was proved (empty if it is part of the program), and its request."""

    identity: str
    credential: str = ""
    request: str = ""


@dataclass(frozen=True, slots=True)
class ContentRecord:
    """Content by digest; `size` in bytes.

    Each placement of its bytes has its own `version`, so that damage found in an earlier placement does not mark it.
    `stamp` is that of the bytes that were verified, empty if none were at this place.
    """

    digest: Digest
    size: int
    place: Place = Place("")
    version: int = field(default=0, compare=False)
    stamp: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Holding:
    """The state in which a repository holds content, and its start (seconds since the epoch), if that matters.

    `extended` is whether the grace of an unneeded holding was restarted for a caller that may only pull.
    """

    state: HoldingState
    since: float = 0.0
    extended: bool = False


NEEDED = Holding(HoldingState.NEEDED)
"""The holding of what is needed: its start does not matter."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob of a repository."""

    content: ContentRecord
    holding: Holding


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """The fields of a manifest's row that a pull needs. Their size does not depend on the client."""

    digest: Digest
    size: int
    media_type: str
    place: Place = Place("")
    version: int = field(default=0, compare=False)
    holding: Holding = field(default=NEEDED, compare=False)

    @property
    def content(self) -> ContentRecord:
        """The record of its bytes."""
        return ContentRecord(self.digest, self.size, self.place, self.version)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """The row of a manifest of one repository.

    It is served with `media_type`. Listings of referrers need `artifact_type`, `annotations` (a JSON object) and
    `subject`. `children` are all other digests that it names (config, layers, child manifests); they are needed by it.
    """

    digest: Digest
    size: int
    media_type: str
    artifact_type: str | None
    annotations: bytes
    subject: Digest | None
    children: tuple[Digest, ...]

    @property
    def stored(self) -> StoredManifest:
        """The fields that a pull needs."""
        return StoredManifest(self.digest, self.size, self.media_type)


@dataclass(frozen=True, slots=True)
class Received:
    """The durable bytes of an upload session: their number, and their digest (`None` if there are none).

    `state` is kept in the session's row and interpreted only by the upload store that returned it.
    """

    size: int = 0
    digest: Digest | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open upload session.

    `received` is hashed with `algorithm`. `touched` and `started` are in seconds since the epoch. A session counts
    against the share of its identity, or of `client`, an address, if several clients share the identity. Each change of
    the row, and each claim by a newer request, increments `generation`.
    """

    session: str
    repository: RepositoryName
    identity: str
    algorithm: str
    received: Received
    touched: float
    started: float
    client: str = ""
    generation: int = 0


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token issued to `owner`.

    Only the hash of its secret is kept. `scopes` limits it, beyond the rights of its owner, unless it is `None`.
    `fingerprint` is that of the password with which the token was created, `None` if an operator created it. Times are
    in seconds since the epoch; `last_used` may be a minute late.
    """

    token_id: str
    secret_hash: bytes = field(repr=False)
    owner: str
    description: str
    created: float
    expires: float | None
    scopes: tuple[str, ...] | None
    fingerprint: str | None = None
    last_used: float | None = None


@dataclass(frozen=True, slots=True)
class ReadOnlyMode:
    """The mode in which nothing changes, its reason, and its start in seconds since the epoch."""

    reason: str
    since: float


class JournalAction(StrEnum):
    """What an event of the journal did."""

    TAG_SET = "tag.set"
    """A push created the tag, or moved it."""
    TAG_DELETE = "tag.delete"
    TAG_ROLLBACK = "tag.rollback"
    """An earlier target was given back to the tag."""
    TAG_RESTORE = "tag.restore"
    MANIFEST_DELETE = "manifest.delete"
    MANIFEST_RESTORE = "manifest.restore"
    BLOB_DELETE = "blob.delete"
    REPOSITORY_DELETE = "repository.delete"
    REPOSITORY_RESTORE = "repository.restore"
    CONTENT_PURGE = "content.purge"
    """Content was removed at once; the journal does not say which."""


@dataclass(frozen=True, slots=True)
class JournalEvent:
    """A change of a tag (from `before` to `after`), or of other content: `before` was deleted, `after` restored.

    `time` is in seconds since the epoch. `cause` is the id of the event that this one is part of, as the deletion of a
    tag is part of that of its manifest.
    """

    id: int
    time: float
    action: JournalAction
    repository: RepositoryName
    tag: Tag | None
    before: Digest | None
    after: Digest | None
    actor: Actor
    cause: int | None = None


class TagPosition(NamedTuple):
    """A place in a list of tags by their last push."""

    pushed: float
    tag: Tag


@dataclass(frozen=True, slots=True)
class TagRow:
    """A tag, its target, and the times of its last push and its last pull, which may be an hour late."""

    tag: Tag
    digest: Digest
    pushed: float
    pulled: float | None = None

    @property
    def position(self) -> TagPosition:
        """Its place."""
        return TagPosition(self.pushed, self.tag)


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull of a manifest by tag, or by a digest at which tags may point."""

    repository: RepositoryName
    reference: Reference
    when: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a repository uses. `tags`, `manifests`, `blobs` and `bytes` are what counts for quotas.

    A manifest counts while it is needed, a blob also before its first manifest: from its push on. Each holding counts
    with the size of its content. `unneeded_bytes` and `deleted_bytes` are those of the holdings that do not count.
    """

    tags: int = 0
    manifests: int = 0
    blobs: int = 0
    bytes: int = 0
    unneeded_bytes: int = 0
    deleted_bytes: int = 0

    @property
    def held_bytes(self) -> int:
        """The bytes of all holdings."""
        return self.bytes + self.unneeded_bytes + self.deleted_bytes


@dataclass(frozen=True, slots=True)
class RepositorySummary:
    """A repository in a listing: its number of tags, what it uses in bytes, and the last push of a tag that it has."""

    name: RepositoryName
    tags: int
    bytes: int
    pushed: float | None


@dataclass(frozen=True, slots=True)
class TotalUsage:
    """What all repositories use together, and the content behind it, each digest once."""

    repositories: int
    usage: Usage
    contents: int
    content_bytes: int
    condemned_bytes: int

    @property
    def shared_bytes(self) -> int:
        """The bytes that would be needed more if each holding had content of its own."""
        return self.usage.held_bytes - self.content_bytes


class Part(StrEnum):
    """How the repository must hold a part of a manifest."""

    BLOB = "blob"
    CHILD = "child"  # a manifest or a blob


@dataclass(frozen=True, slots=True)
class HeldAs:
    """A holding of some content: by which repository, as a blob or as a manifest (`Part.CHILD`), in which state."""

    repository: RepositoryName
    part: Part
    holding: Holding


@dataclass(frozen=True, slots=True)
class Keepers:
    """What keeps content of a repository: tags, and needed manifests, which refer to it or are its subject."""

    tags: Sequence[Tag]
    manifests: Sequence[Digest]


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """A part of a manifest, as its descriptor says. One that is not `required` may be absent from the repository."""

    part: Part
    content: ContentRecord
    required: bool = True


@dataclass(frozen=True, slots=True)
class FoundParts:
    """Parts of a manifest: the content of those that the repository holds, and those not as described, in order."""

    held: Sequence[ContentRecord]
    unmet: Sequence["UnmetPart"]


@dataclass(frozen=True, slots=True)
class UnmetPart:
    """A part that the repository lacks (`held` is `None`), or holds with `held` bytes instead of those described."""

    described: ContentRecord
    held: int | None


# ---------------------------------------------------------------- results of changes


@dataclass(frozen=True, slots=True)
class ContentRemoved:
    """Nothing was changed: the content is being removed, or may have been. Its bytes must be placed again."""


@dataclass(frozen=True, slots=True)
class BlobAdded:
    """The repository holds the blob. `surplus` is a second copy of its bytes, to be removed."""

    surplus: ContentRecord | None = None


@dataclass(frozen=True, slots=True)
class BlobRemoved:
    """The repository held the blob and holds it no more."""


@dataclass(frozen=True, slots=True)
class BlobAbsent:
    """The repository did not hold the blob."""


@dataclass(frozen=True, slots=True)
class ManifestStored:
    """The repository holds the manifest. `previous` has the earlier targets of its tags, `None` for new tags."""

    previous: Mapping[Tag, Digest | None]
    surplus: ContentRecord | None = None


@dataclass(frozen=True, slots=True)
class PartsUnmet:
    """The manifest was not stored: at least one of its parts is not as described."""

    parts: Sequence[UnmetPart]


@dataclass(frozen=True, slots=True)
class ManifestRemoved:
    """The manifest was removed from the repository."""


@dataclass(frozen=True, slots=True)
class ManifestAbsent:
    """The repository did not hold the manifest."""


@dataclass(frozen=True, slots=True)
class TagsChanged:
    """Nothing was changed: the tags of the manifest are not those that the caller named."""


@dataclass(frozen=True, slots=True)
class StillNeeded:
    """Nothing was changed: the manifest `by` of the repository needs the content."""

    by: Digest


@dataclass(frozen=True, slots=True)
class HoldingsEnded:
    """The numbers of holdings that ended, and of those that wait for a manifest which refers to them."""

    manifests: int = 0
    blobs: int = 0
    waiting: int = 0

    @property
    def total(self) -> int:
        """The number of holdings that ended."""
        return self.manifests + self.blobs


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """What keeps manifests without a tag for now.

    They are kept if they were pushed after `pushed_before`, or if `excepted` is true of their repository.
    """

    pushed_before: float
    excepted: Callable[[RepositoryName], bool]

    def wait(self, repository: RepositoryName, pushed: float) -> float:
        """Return the seconds for which a manifest is kept; 0 or less if it is not, without end if it is excepted."""
        return float("inf") if self.excepted(repository) else pushed - self.pushed_before


@dataclass(frozen=True, slots=True)
class Reviewed:
    """The number of manifests that became unneeded, and whether more reviews may be due by now."""

    unneeded: int
    more: bool


@dataclass(frozen=True, slots=True)
class Space:
    """A number of contents or holdings, and their bytes."""

    count: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class HeldTogether:
    """The holdings of a repository of one kind, in one state, and whether they count for quotas.

    `first` and `last` are when that state began; without meaning while they are needed.
    """

    part: Part
    state: HoldingState
    counts: bool
    space: Space
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits for the end of its grace: deleted holdings, unneeded ones, and since when the last was deleted."""

    deleted: Space
    unneeded: Space
    last_deleted: float


class Origin(StrEnum):
    """What starts collections: the server by itself, the command, or a request."""

    SCHEDULE = "schedule"
    COMMAND = "command"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class CollectionRow:
    """A collection: its origin, when it was, whether it came to its end, and what it did."""

    origin: Origin
    started: float
    ended: float
    complete: bool
    unneeded: int
    manifests: int
    blobs: int
    early: int
    removed: Space


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a collection would do: manifests that become unneeded, holdings that end, contents that are removed."""

    unneeded: int
    ended: HoldingsEnded
    removed: Space


@dataclass(frozen=True, slots=True)
class TagRemoved:
    """The tag was removed; `digest` was its target."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class TagPointed:
    """The tag points at the manifest; `before` was its target."""

    before: Digest | None


@dataclass(frozen=True, slots=True)
class ManifestGone:
    """Nothing was changed: the grace of the manifest is over, or its content or that of a part is damaged."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restoration did.

    `manifests` had been deleted. `tags` point at their manifests again, unless they point `elsewhere` now. `gone`
    manifests cannot be restored.
    """

    manifests: Sequence[Digest] = ()
    tags: Sequence[Tag] = ()
    elsewhere: Sequence[Tag] = ()
    gone: Sequence[Digest] = ()


@dataclass(frozen=True, slots=True)
class RepositoryRemoved:
    """The repository's manifests and blobs were deleted; `manifests` is the number of the former."""

    manifests: int


@dataclass(frozen=True, slots=True)
class RepositoryAbsent:
    """The repository held nothing that was not deleted."""


@dataclass(frozen=True, slots=True)
class TagAbsent:
    """There was no such tag."""


@dataclass(frozen=True, slots=True)
class TagProtected:
    """Nothing was changed: the rule of this name keeps the tag as it is."""

    tag: Tag
    rule: str
