"""What stores keep and return, as values; the protocols say how they are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.life import HoldingState

Place = NewType("Place", str)
"""Where a content store keeps the bytes of one content; opaque to all but the store that returned it.

The local store has one place for each digest and returns the empty text; an object store returns a unique key.
"""


@dataclass(frozen=True, slots=True)
class ContentRecord:
    """Content by digest; `size` in bytes.

    Each placement of its bytes has a `version` of its own: what a reader found of an earlier one says nothing about
    the bytes that are there now.
    """

    digest: Digest
    size: int
    place: Place = Place("")
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Holding:
    """How a repository holds content: the state, and since when (seconds since the epoch), where that matters.

    `extended` is whether the grace of an unneeded holding was prolonged already.
    """

    state: HoldingState
    since: float = 0.0
    extended: bool = False


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob of a repository."""

    content: ContentRecord
    holding: Holding


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """What serving a manifest needs of its row: little, whatever its client wrote into it."""

    digest: Digest
    size: int
    media_type: str
    place: Place = Place("")
    version: int = field(default=0, compare=False)

    @property
    def content(self) -> ContentRecord:
        """Its bytes."""
        return ContentRecord(self.digest, self.size, self.place, self.version)


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A manifest of one repository, as kept.

    `media_type` is what it is served as; `artifact_type`, `annotations` (a JSON object) and `subject` are what
    referrers listings need; `children` are all digests it refers to except its subject (configs, layers, child
    manifests), which keep those alive for the garbage collector.
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
        """What is found of it."""
        return StoredManifest(self.digest, self.size, self.media_type)


@dataclass(frozen=True, slots=True)
class Received:
    """The bytes of an upload session that are durable: how many, and their digest (`None` while there are none).

    `state` belongs to the upload store that returned it; it is kept in the session's row and read by that store only.
    """

    size: int = 0
    digest: Digest | None = None
    state: str = ""


@dataclass(frozen=True, slots=True)
class SessionRow:
    """An open upload session.

    `algorithm` is the one that `received` is hashed with. `touched` and `started` are in seconds since the epoch.
    Sessions count against the share of their identity, or of the `client` that shares one with others: an address, or
    the empty text. Each change of the row, and each claim of a newer request, begins another `generation`.
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
    """A token that the registry issued to `owner`.

    `secret_hash` is all that is kept of what its owner holds. `scopes` is what it is limited to, `None` when nothing
    but its owner's rights limits it. `fingerprint` is that of the password with which it was made, `None` when an
    operator made it. Times are in seconds since the epoch; `last_used` may be a minute late.
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


class Part(StrEnum):
    """Where a manifest's part must be found in its repository."""

    BLOB = "blob"
    CHILD = "child"  # a manifest or a blob


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """A part of a manifest as its descriptor has it; one that is not `required` may be absent from the repository."""

    part: Part
    content: ContentRecord
    required: bool = True


@dataclass(frozen=True, slots=True)
class FoundParts:
    """Parts of a manifest: the content of those that the repository holds, and what is not as described, in order."""

    held: Sequence[ContentRecord]
    unmet: Sequence["UnmetPart"]


@dataclass(frozen=True, slots=True)
class UnmetPart:
    """A part that the repository lacks (`held` is `None`), or holds with `held` bytes instead of those described."""

    described: ContentRecord
    held: int | None


# ---------------------------------------------------------------- what became of a change


@dataclass(frozen=True, slots=True)
class ContentRemoved:
    """Nothing was changed: the content is being removed, or may have been; its bytes must be placed again."""


@dataclass(frozen=True, slots=True)
class BlobAdded:
    """The repository holds the blob; `surplus` is a place that its content does not need, to be removed."""

    surplus: ContentRecord | None = None


@dataclass(frozen=True, slots=True)
class ManifestStored:
    """The repository holds the manifest; `previous` is what its tags pointed at before, `None` for new ones."""

    previous: Mapping[Tag, Digest | None]
    surplus: ContentRecord | None = None


@dataclass(frozen=True, slots=True)
class PartsUnmet:
    """The manifest was not stored: at least one of its parts is not as described."""

    parts: Sequence[UnmetPart]


@dataclass(frozen=True, slots=True)
class ManifestRemoved:
    """The repository held the manifest and holds it no more."""


@dataclass(frozen=True, slots=True)
class ManifestAbsent:
    """The repository did not hold the manifest."""


@dataclass(frozen=True, slots=True)
class TagsChanged:
    """Nothing was changed: the tags of the manifest are not those that the caller named."""


@dataclass(frozen=True, slots=True)
class TagRemoved:
    """The tag is gone; `digest` is what it pointed at."""

    digest: Digest


@dataclass(frozen=True, slots=True)
class TagAbsent:
    """There was no such tag."""
