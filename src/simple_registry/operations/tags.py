"""Tags: listed in ASCII order, deleted one at a time."""

import asyncio
from collections.abc import Callable, Sequence

from simple_registry.oci.digests import Digest
from simple_registry.oci.errors import ManifestUnknown, NameUnknown, PreconditionFailed, TagIsProtected
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.operations.pages import BATCH, MAX_LARGE_PAGES, Page, fill_page, visible_of
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.protocols.tags import RepositoryRows, TagRows
from simple_registry.storage.records import Actor, TagAbsent, TagProtected, TagRemoved

MAX_TAGS_CHECKED = 10_000
"""Tags that are checked for one that the caller may see; more would make a catalog take seconds."""


class Tags:
    """The operations on tags."""

    def __init__(self, tags: TagRows, repositories: RepositoryRows) -> None:
        self._tags = tags
        self._repositories = repositories
        self._large_pages = asyncio.Semaphore(MAX_LARGE_PAGES)

    async def page(
        self, repository: RepositoryName, *, last: str | None, limit: int, visible: Callable[[Tag], bool]
    ) -> Page[Tag]:
        """Return up to `limit` visible tags after `last`, of a repository that the catalog may list.

        Raises: NameUnknown.
        """
        if not await self._repositories.is_listed(repository):
            raise NameUnknown(name=repository)

        async def seen(tags: Sequence[Tag]) -> Sequence[Tag]:
            return await visible_of(tags, visible)

        async def read(after: str | None, size: int) -> Sequence[Tag]:
            return await self._tags.page_tags(repository, after, size)

        return await fill_page(read, seen, last, limit, large=self._large_pages)

    async def of_manifest(self, repository: RepositoryName, digest: Digest) -> Sequence[Tag]:
        """Return the tags that point at a manifest."""
        return await self._tags.tags_of(repository, digest)

    async def any(self, repository: RepositoryName, visible: Callable[[Tag], bool]) -> bool:
        """Return whether any of the first `MAX_TAGS_CHECKED` tags is visible."""
        after: Tag | None = None
        for _ in range(MAX_TAGS_CHECKED // BATCH):
            tags = await self._tags.page_tags(repository, after, BATCH)
            if any(visible(tag) for tag in tags):
                return True
            if len(tags) < BATCH:
                break
            after = tags[-1]
            await asyncio.sleep(0)
        return False

    async def delete(
        self,
        repository: RepositoryName,
        tag: Tag,
        *,
        actor: Actor,
        precondition: Precondition = UNCONDITIONAL,
        guard: TagGuard | None = None,
    ) -> Digest:
        """Remove this tag, but neither its manifest nor other tags. Return its target.

        Raises: ManifestUnknown, PreconditionFailed, TagIsProtected.
        """
        match await self._tags.remove_tag(repository, tag, actor=actor, precondition=precondition, guard=guard):
            case TagRemoved(digest):
                return digest
            case TagAbsent():
                raise ManifestUnknown(reference=tag)
            case PreconditionUnmet(current=current):
                raise PreconditionFailed(reference=tag, current=None if current is None else str(current))
            case TagProtected(rule=rule):
                raise TagIsProtected(tag, rule, "deleted")
