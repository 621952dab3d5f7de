"""Retention: the tags that no rule keeps are removed, repository by repository.

    tags and times of one repository, at one moment ──► verdicts ──► those that go, unless they changed since then

Only tags are removed; each is an event of the journal, so that it can be brought back.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

from simple_registry.access.retention import Retention, Times, Verdict, belongs_to, judge
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.protocols import RepositoryRows, TagTimes
from simple_registry.storage.records import Actor, TagRow

BATCH = 500
"""Tags that one transaction removes."""

PAGE = 1000
"""Repositories read at a time."""

MAX_EXAMINED = 20_000
"""Repositories and tags that one page of a plan examines."""

READ = 50
"""Tags that cost as much as reading those of one more repository."""

logger = logging.getLogger("simple_registry")


@dataclass(frozen=True, slots=True)
class Policies:
    """The Retentions in force, and what protects the tags of a repository."""

    retentions: Sequence[Retention]
    guard: Callable[[RepositoryName], TagGuard]

    def reach(self, repository: RepositoryName) -> Sequence[Retention]:
        """Return the Retentions that may reach a tag of the repository."""
        return [each for each in self.retentions if each.may_reach(repository)]


@dataclass(frozen=True, slots=True)
class Judged:
    """The tags of a repository that Retentions reach, in ASCII order, each with its verdict."""

    repository: RepositoryName
    tags: Sequence[tuple[TagRow, Verdict]]


@dataclass(frozen=True, slots=True)
class PlanPage:
    """Some of the repositories of a plan, and the name after which it continues; `more` may follow there."""

    judged: Sequence[Judged]
    last: str | None
    more: bool


class TagRetention:
    """Plans and applies Retentions. It may run beside any other operation, in any process."""

    def __init__(
        self,
        rows: TagTimes,
        repositories: RepositoryRows,
        cutoffs: Cutoffs,
        policies: Callable[[], Policies],
    ) -> None:
        """Judge by the `policies` of each moment."""
        self._rows = rows
        self._repositories = repositories
        self._cutoffs = cutoffs
        self._policies = policies
        self.removed = 0
        """Tags that runs on schedule removed."""

    async def plan(self) -> AsyncIterator[Judged]:
        """Yield the verdicts on the tags of each repository that a Retention reaches."""
        policies = self._policies()
        after: RepositoryName | None = None
        while page := await self._repositories.page_repositories(after, PAGE):
            after = page[-1]
            for repository in page:
                judged = await self._judged(repository, policies)
                if judged.tags:
                    yield judged

    async def page(self, after: str | None, limit: int) -> PlanPage:
        """Return the verdicts on the tags of up to `limit` repositories after a name: part of a plan, perhaps none."""
        policies, found, examined, last = self._policies(), list[Judged](), 0, after
        while page := await self._repositories.page_repositories(last, PAGE):
            for repository in page:
                if len(found) == limit or examined >= MAX_EXAMINED:
                    return PlanPage(found, last, more=True)
                last, judged = repository, await self._judged(repository, policies)
                examined += READ + len(judged.tags) if policies.reach(repository) else 1
                found += [judged] if judged.tags else []
            await asyncio.sleep(0)  # other requests get their turn
        return PlanPage(found, last, more=False)

    async def of(self, repository: RepositoryName) -> Judged:
        """Return the verdicts on the tags of one repository."""
        return await self._judged(repository, self._policies())

    async def apply(self, of: Callable[[str], bool] = lambda _name: True) -> AsyncIterator[Judged]:
        """Remove the tags that go by Retentions of some names, and yield those that went."""
        async for judged in self.plan():
            going = [(row, verdict) for row, verdict in judged.tags if verdict.reason is None and of(verdict.retention)]
            owners = {row.tag: verdict.of for row, verdict in going if verdict.of is not None}
            gone: set[Tag] = set()
            # A tag that belongs to a manifest goes after the other tags of that.
            for depth, name in sorted({(verdict.depth, verdict.retention) for _, verdict in going}):
                rows = [row for row, verdict in going if (verdict.depth, verdict.retention) == (depth, name)]
                for start in range(0, len(rows), BATCH):
                    batch = rows[start : start + BATCH]
                    gone.update(
                        await self._rows.retire_tags(
                            judged.repository, batch, actor=Actor(f"retention:{name}"), owners=owners
                        )
                    )
            if gone:
                yield Judged(judged.repository, [each for each in going if each[0].tag in gone])

    async def run_due(self) -> None:
        """Apply the Retentions whose interval has passed since they ran, or since they were first read."""
        now, known = self._cutoffs.before(0), await self._rows.retention_runs()
        wanted = [each for each in self._policies().retentions if each.interval]
        # A time in the future is that of a wrong clock.
        runs = {each.name: min(known.get(each.name, now), now) for each in wanted}
        due = {each.name for each in wanted if runs[each.name] + each.interval <= now}
        if due:
            count = sum([len(judged.tags) async for judged in self.apply(due.__contains__)])
            self.removed += count
            logger.info("retention applied", extra={"fields": {"retentions": ",".join(sorted(due)), "tags": count}})
        runs |= dict.fromkeys(due, now)
        if runs != known:
            await self._rows.keep_retention_runs(runs)

    async def _judged(self, repository: RepositoryName, policies: Policies) -> Judged:
        reaching = policies.reach(repository)
        return await self._judge(repository, reaching, policies) if reaching else Judged(repository, ())

    async def _judge(self, repository: RepositoryName, reaching: Sequence[Retention], policies: Policies) -> Judged:
        times = Times(self._cutoffs.before(0), self._cutoffs.before)
        tags = await self._rows.dated_tags(repository)
        protected = policies.guard(repository).from_deletion
        named = [digest for each in tags if (digest := belongs_to(each.tag)) is not None]
        owners = await self._rows.owners(repository, named) if named else {}
        verdicts = await asyncio.to_thread(judge, reaching, repository, tags, times, protected, manifests=owners)
        by_tag: Mapping[Tag, TagRow] = {each.tag: each for each in tags}
        return Judged(repository, [(by_tag[verdict.tag], verdict) for verdict in verdicts])
