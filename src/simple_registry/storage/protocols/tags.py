"""The rows of tags, and of the repositories with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.oci.preconditions import UNCONDITIONAL, Precondition, PreconditionUnmet
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.records import (
    Actor,
    Pull,
    RepositorySummary,
    TagAbsent,
    TagPosition,
    TagProtected,
    TagRemoved,
    TagRow,
)


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
