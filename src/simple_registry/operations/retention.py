"""Retention: the tags that no rule keeps are removed, repository by repository.

    tags and times of one repository, at one moment ──► verdicts ──► those that go, unless they changed since then

Only tags are removed; each is an event of the journal, so that it can be brought back.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import compress
from time import monotonic

from simple_registry.access.retention import Retention, Times, Verdict, belongs_to, judge
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.operations.cutoffs import Cutoffs
from simple_registry.operations.pages import in_turns
from simple_registry.storage.protection import TagGuard
from simple_registry.storage.protocols.tags import RepositoryRows, TagTimes
from simple_registry.storage.records import Actor, TagRow
from simple_registry.times import format_moment

BATCH = 500
"""Tags that one transaction removes."""

PAGE = 1000
"""Repositories read at a time."""

logger = logging.getLogger("simple_registry")


@dataclass(frozen=True, slots=True)
class Policies:
    """The Retentions in force, and what protects the tags of a repository."""

    retentions: Sequence[Retention]
    guard: Callable[[RepositoryName], TagGuard]


@dataclass(frozen=True, slots=True)
class Judged:
    """The tags of a repository that Retentions reach, in ASCII order, each with its verdict."""

    repository: RepositoryName
    tags: Sequence[tuple[TagRow, Verdict]]


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the order of all tags: after a tag, or without one after all tags of the repository."""

    repository: RepositoryName
    tag: Tag | None = None

    def __str__(self) -> str:
        return self.repository if self.tag is None else f"{self.repository}:{self.tag}"


@dataclass(frozen=True, slots=True)
class PlanPage:
    """Part of a plan, and where the next part begins; `None` at the end."""

    judged: Sequence[Judged]
    next: Position | None


@dataclass(frozen=True, slots=True)
class Applied:
    """The number of tags that were removed from each repository, where the next part begins, and whether it was all."""

    removed: Mapping[RepositoryName, int]
    next: Position | None
    complete: bool


def described_tag(repository: RepositoryName, row: TagRow, verdict: Verdict) -> dict[str, object]:
    """Return the verdict on a tag, as values of JSON."""
    return {
        "repository": repository,
        "tag": row.tag,
        "digest": str(row.digest),
        "pushed": format_moment(row.pushed),
        "pulled": None if row.pulled is None else format_moment(row.pulled),
        "retention": verdict.retention,
        "goes": verdict.reason is None,
        "keptBy": verdict.reason,
        "goesBecause": verdict.cause if verdict.reason is None else None,
    }


def _batches(going: Sequence[tuple[TagRow, Verdict]]) -> Iterator[tuple[str, Sequence[TagRow]]]:
    """Yield the tags that one transaction removes, with the name of their Retention.

    A tag that belongs to a manifest goes after the other tags of that.
    """
    for depth, name in sorted({(verdict.depth, verdict.retention) for _, verdict in going}):
        rows = [row for row, verdict in going if (verdict.depth, verdict.retention) == (depth, name)]
        for start in range(0, len(rows), BATCH):
            yield name, rows[start : start + BATCH]


async def _visible(judged: Judged, visible: Callable[[RepositoryName, Tag], bool]) -> Sequence[tuple[TagRow, Verdict]]:
    seen = await in_turns(judged.tags, lambda each: visible(judged.repository, each[0].tag))
    return tuple(compress(judged.tags, seen))


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
        self._one_at_a_time = asyncio.Lock()
        self.removed = 0
        """Tags that runs on schedule removed."""

    async def plan(self) -> AsyncIterator[Judged]:
        """Yield the verdicts on the tags of each repository that a Retention reaches."""
        async for judged in self._judge_all(None):
            if judged.tags:
                yield judged

    async def apply(self, of: Callable[[str], bool] = lambda _name: True) -> AsyncIterator[Judged]:
        """Remove the tags that go by Retentions of some names, and yield those that went."""
        async for judged in self.plan():
            gone, _ = await self._remove(judged, of)
            if gone.tags:
                yield gone

    async def plan_page(
        self,
        after: Position | None,
        limit: int,
        *,
        visible: Callable[[RepositoryName, Tag], bool],
        seconds: float,
    ) -> PlanPage:
        """Return the verdicts on up to `limit` visible tags, as far as they are found in about these seconds."""
        ends, found, left = monotonic() + seconds, list[Judged](), limit
        async with self._one_at_a_time, aclosing(self._judge_all(after)) as all_judged:
            async for judged in all_judged:
                tags = await _visible(judged, visible)
                if tags:
                    found.append(Judged(judged.repository, tags[:left]))
                if len(tags) > left:
                    return PlanPage(found, Position(judged.repository, tags[left - 1][0].tag))
                left -= len(tags)
                if not left or monotonic() >= ends:
                    return PlanPage(found, Position(judged.repository))
        return PlanPage(found, None)

    async def apply_part(self, after: Position | None, *, seconds: float, request: str) -> Applied:
        """Remove the tags that go, for about these seconds, as part of a request."""
        ends, removed, done = monotonic() + seconds, dict[RepositoryName, int](), after
        async with self._one_at_a_time, aclosing(self._judge_all(after)) as all_judged:
            async for judged in all_judged:
                gone, finished = await self._remove(judged, lambda _name: True, request=request, ends=ends)
                if gone.tags:
                    removed[judged.repository] = len(gone.tags)
                if finished:
                    done = Position(judged.repository)
                if monotonic() >= ends or len(removed) >= PAGE:
                    return Applied(removed, done, complete=False)
        return Applied(removed, done, complete=True)

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

    async def _judge_all(self, after: Position | None) -> AsyncGenerator[Judged]:
        """Yield the verdicts on the tags of each repository, perhaps none, from a position on."""
        policies = self._policies()
        if after is not None and after.tag is not None:
            begun = await self._judge(after.repository, policies)
            yield Judged(begun.repository, [each for each in begun.tags if each[0].tag > after.tag])
        last = None if after is None else after.repository
        while page := await self._repositories.page_repositories(last, PAGE):
            last = page[-1]
            for repository in page:
                yield await self._judge(repository, policies)

    async def _judge(self, repository: RepositoryName, policies: Policies) -> Judged:
        reaching = [each for each in policies.retentions if each.may_reach(repository)]
        if not reaching:
            return Judged(repository, ())
        times = Times(self._cutoffs.before(0), self._cutoffs.before)
        tags = await self._rows.dated_tags(repository)
        protected = policies.guard(repository).from_deletion
        named = [digest for each in tags if (digest := belongs_to(each.tag)) is not None]
        owners = await self._rows.owners(repository, named) if named else {}
        verdicts = await asyncio.to_thread(judge, reaching, repository, tags, times, protected, manifests=owners)
        by_tag: Mapping[Tag, TagRow] = {each.tag: each for each in tags}
        return Judged(repository, [(by_tag[verdict.tag], verdict) for verdict in verdicts])

    async def _remove(
        self, judged: Judged, of: Callable[[str], bool], *, request: str = "", ends: float = float("inf")
    ) -> tuple[Judged, bool]:
        """Remove the tags that go by Retentions of some names, until a time. Return which went, and whether all did."""
        going = [(row, verdict) for row, verdict in judged.tags if verdict.reason is None and of(verdict.retention)]
        owners = {row.tag: verdict.of for row, verdict in going if verdict.of is not None}
        gone: set[Tag] = set()
        left = list(_batches(going))
        while left:
            name, rows = left.pop(0)
            actor = Actor(f"retention:{name}", request=request)
            gone.update(await self._rows.retire_tags(judged.repository, rows, actor=actor, owners=owners))
            if monotonic() >= ends:
                break
        return Judged(judged.repository, [each for each in going if each[0].tag in gone]), not left
