"""The performance goals, as data, and their comparison with a run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import growth, pages
from bench.plans import Way
from bench.pushes import AS_DOCKER
from bench.reads import Credential
from bench.results import Results, times_as_good
from bench.subjects import DISTRIBUTION, DOCKER, NGINX, OURS, ZOT
from bench.workloads import Workload

UNCHANGED = 0.8
"""The ratio from which a rate counts as unchanged; rounds differ by that much."""


@dataclass(frozen=True, slots=True)
class Goal:
    """`subject` in `workload` is at least `wanted` times as good as `peer` in `against` (by default: in `workload`)."""

    what: str
    workload: str
    wanted: float
    peer: str = OURS
    against: str = ""
    subject: str = OURS


@dataclass(frozen=True, slots=True)
class Limit:
    """`subject` in `workload` is at most `maximum`, in the unit of the workload."""

    what: str
    workload: str
    maximum: float
    subject: str = OURS


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and its measured value; `reached` is `None` if it was not measured."""

    goal: Goal | Limit
    measured: float | None

    @property
    def reached(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured <= self.goal.maximum if isinstance(self.goal, Limit) else self.measured >= self.goal.wanted


def _goals() -> Iterator[Goal | Limit]:
    yield from _manifests()
    yield from _blobs()
    yield from _pushes()
    yield Goal("tags, first page", "tags first 100", 20, DOCKER)
    yield Goal("tags, deep page", "tags deep 100", 20, DOCKER)
    yield Goal("catalog, first page", "catalog first 100", 20, DOCKER)
    yield Goal("catalog, deep page", "catalog deep 100", 20, DOCKER)
    yield Limit("start-up, seconds", "start-up", 0.35)
    yield Limit("memory at rest, MiB", "idle memory", 55)
    for workload in growth.WORKLOADS:
        yield Goal(f"{growth.MANY}: {workload.title}", workload.name, UNCHANGED, growth.FEW, subject=growth.MANY)
    for workload in pages.OF_PAGES:
        yield Limit(f"web page, {workload.title}, ms", workload.name, pages.MAX_MS, pages.WITH)
    for workload in pages.OF_API:
        yield Goal(f"{pages.WITH}: {workload.title}", workload.name, UNCHANGED, pages.WITHOUT, subject=pages.WITH)


def _manifests() -> Iterator[Goal]:
    wanted = {Credential.ANONYMOUS: 15, Credential.BASIC: 15, Credential.BEARER: 12}
    for by in ("tag", "digest"):
        for credential, times in wanted.items():
            what, workload = f"manifest GET by {by}, {credential}", f"manifest by {by}, {credential}"
            yield Goal(what, workload, times, DOCKER)
            yield Goal(what, workload, 2, ZOT)
        basic, anonymous = (f"manifest by {by}, {credential}" for credential in ("Basic", "anonymous"))
        yield Goal(f"manifest GET by {by}: Basic compared with anonymous", basic, 0.85, against=anonymous)


def _blobs() -> Iterator[Goal]:
    yield Goal("blob HEAD", "blob HEAD", 15, DOCKER)
    rows = (
        ("blob GET, 1 KiB", "blob 1 KiB", 10, None),
        ("blob GET, 1 MiB", "blob 1 MiB", 3, 0.8),
        ("blob GET, 64 MiB, 1 connection", "blob 64 MiB, 1", 1, 0.95),
        ("blob GET, 64 MiB, 4 connections", "blob 64 MiB, 4", 1, 0.95),
        ("blob GET, {large}", "blob large", 1, 0.95),
    )
    for what, workload, docker, nginx in rows:
        yield Goal(what, workload, docker, DOCKER)
        yield Goal(what, workload, 1, DISTRIBUTION)
        if nginx:
            yield Goal(what, workload, nginx, NGINX)


def _pushes() -> Iterator[Goal]:
    for size in ("1 KiB", "1 MiB", "large"):
        for way in (Way.PUT, Way.PATCH, Way.CHUNKS):
            title = "{large}" if size == "large" else size
            yield Goal(f"push {title}, {way}", f"push {size}, {way}", 2, DOCKER)
    yield Goal(AS_DOCKER, AS_DOCKER, 1.5, DOCKER)
    yield Goal(AS_DOCKER, AS_DOCKER, 1, DISTRIBUTION)


GOALS: Sequence[Goal | Limit] = tuple(_goals())


def judge(goals: Sequence[Goal | Limit], workloads: Sequence[Workload], results: Results) -> list[Verdict]:
    """Compare a run with the goals."""
    better = {workload.name: workload.better for workload in workloads}
    verdicts = []
    for goal in goals:
        ours = results.get(goal.workload, {}).get(goal.subject)
        if isinstance(goal, Limit):
            verdicts.append(Verdict(goal, ours.median if ours else None))
            continue
        theirs = results.get(goal.against or goal.workload, {}).get(goal.peer)
        measured = times_as_good(ours.median, theirs.median, better[goal.workload]) if ours and theirs else None
        verdicts.append(Verdict(goal, measured))
    return verdicts
