"""Why content is kept, or when it ends: in each repository, by the shortest path from a tag."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.life import HoldingState
from simple_registry.storage.protocols.collection import KeeperRows
from simple_registry.storage.protocols.usage import UsageRows
from simple_registry.storage.records import HeldAs, HeldTogether

MAX_HOLDINGS = 1000
"""Repositories that one explanation names."""

MAX_VISITED = 10_000
"""Manifests that are looked at for a tag."""

_KEEPERS = 1000
"""Manifests that refer to one content, of which the search goes on."""


@dataclass(frozen=True, slots=True)
class Explained:
    """A holding. If it is needed, `path` leads from what is kept by itself to it; `tag` points at its beginning."""

    held: HeldAs
    path: Sequence[Digest] = ()
    tag: Tag | None = None


@dataclass(frozen=True, slots=True)
class Contained:
    """All that a repository holds, and the number of its tags."""

    tags: int
    held: Sequence[HeldTogether]


class Explanations:
    """The operation."""

    def __init__(self, rows: KeeperRows, usage: UsageRows, max_visited: int = MAX_VISITED) -> None:
        """Look at up to `max_visited` manifests for each holding."""
        self._rows = rows
        self._usage = usage
        self._max_visited = max_visited

    async def summarize(self, repository: RepositoryName) -> Contained:
        """Return what a repository holds, in total."""
        usage = await self._usage.find_usage(repository)
        return Contained(0 if usage is None else usage.tags, await self._rows.held_by(repository))

    async def explain(self, digest: Digest, repository: RepositoryName | None = None) -> Sequence[Explained]:
        """Explain each holding of content, or those of one repository."""
        found = await self._rows.holdings_of(digest, MAX_HOLDINGS)
        return [await self._explain(held, digest) for held in found if repository in (None, held.repository)]

    async def _explain(self, held: HeldAs, digest: Digest) -> Explained:
        if held.holding.state is not HoldingState.NEEDED:
            return Explained(held)
        below: dict[Digest, Digest | None] = {digest: None}
        pending, top = deque([digest]), digest
        while pending and len(below) < self._max_visited:
            each = pending.popleft()
            keepers = await self._rows.keepers_of(held.repository, each, _KEEPERS)
            if keepers.tags:
                return Explained(held, _path(each, below), keepers.tags[0])
            if not keepers.manifests:
                top = each
            for manifest in keepers.manifests:
                if manifest not in below:
                    below[manifest] = each
                    pending.append(manifest)
        return Explained(held, _path(top, below))


def _path(top: Digest, below: dict[Digest, Digest | None]) -> Sequence[Digest]:
    path: list[Digest] = []
    each: Digest | None = top
    while each is not None:
        path.append(each)
        each = below[each]
    return path
