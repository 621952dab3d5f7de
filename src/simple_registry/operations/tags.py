"""Tags: listed in ASCII order, deleted one at a time."""

from collections.abc import Callable
from typing import Protocol

from simple_registry.oci.errors import ManifestUnknown, NameUnknown
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.pages import Page, fill_page
from simple_registry.storage.protocols import RepositoryRows, TagRows

TAGS_ASKED = 10_000
"""How many tags are looked at to find one that a caller may see; asking more would let a catalog take seconds."""


class TagStore(TagRows, RepositoryRows, Protocol):
    """The rows that tags need."""


class Tags:
    """The operations on tags."""

    def __init__(self, rows: TagStore) -> None:
        """Work on these rows."""
        self._rows = rows

    def page(
        self, repository: RepositoryName, *, last: str | None, limit: int, visible: Callable[[Tag], bool]
    ) -> Page[Tag]:
        """Return up to `limit` visible tags after `last`.

        Raises: NameUnknown.
        """
        if not self._rows.has_repository(repository):
            raise NameUnknown(name=repository)
        return fill_page(lambda after, size: self._rows.page_tags(repository, after, size), visible, last, limit)

    def any(self, repository: RepositoryName, visible: Callable[[Tag], bool]) -> bool:
        """Tell whether any of the first `TAGS_ASKED` tags is visible."""
        return any(visible(tag) for tag in self._rows.page_tags(repository, None, TAGS_ASKED))

    async def delete(self, repository: RepositoryName, tag: Tag) -> None:
        """Remove this tag; its manifest and other tags stay.

        Raises: ManifestUnknown.
        """
        if not await self._rows.remove_tag(repository, tag):
            raise ManifestUnknown(reference=tag)
