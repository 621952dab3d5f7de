"""All rows of one database, by what they are about."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from simple_registry.storage.protocols.collection import (
    CollectionRows,
    ContentRows,
    GarbageRows,
    KeeperRows,
    ReviewRows,
)
from simple_registry.storage.protocols.holdings import BlobRows, ManifestRows
from simple_registry.storage.protocols.journal import JournalRows, UndoRows
from simple_registry.storage.protocols.mode import ModeRows
from simple_registry.storage.protocols.sessions import SessionRows
from simple_registry.storage.protocols.tags import RepositoryRows, TagRows, TagTimes
from simple_registry.storage.protocols.tokens import EndedWebSessionRows, TokenRows
from simple_registry.storage.protocols.usage import UsageRows


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
