"""What we want to reach, as data, and whether a run has reached it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench import growth
from bench.plans import Way
from bench.results import Results, times_as_good
from bench.subjects import DOCKER, NGINX, OURS
from bench.transports import HTTP1, HTTP2, TLS
from bench.workloads import Workload

FLAT = 0.8
"""What is left of a rate where it is taken to be the same: rounds differ by that much."""


@dataclass(frozen=True, slots=True)
class Goal:
    """Ours in `workload` is at least `wanted` times as good as `peer` in the same, or as `subject` in `against`."""

    what: str
    workload: str
    wanted: float
    peer: str = OURS
    against: str = ""
    subject: str = OURS


@dataclass(frozen=True, slots=True)
class Limit:
    """Ours in `workload` is at most `most`, in the workload's unit."""

    what: str
    workload: str
    most: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """A goal and what was measured; `reached` is `None` when it was not."""

    goal: Goal | Limit
    measured: float | None

    @property
    def reached(self) -> bool | None:
        if self.measured is None:
            return None
        return self.measured <= self.goal.most if isinstance(self.goal, Limit) else self.measured >= self.goal.wanted


def _goals() -> Iterator[Goal | Limit]:
    for by in ("tag", "digest"):
        yield Goal(f"manifest GET by {by}", f"manifest by {by}, anonymous", 10, DOCKER)
        yield Goal(f"manifest GET by {by}, Basic", f"manifest by {by}, Basic", 10, DOCKER)
        basic, anonymous = (f"manifest by {by}, {credential}" for credential in ("Basic", "anonymous"))
        yield Goal(f"manifest GET by {by}: Basic beside anonymous", basic, 0.85, against=anonymous)
    yield Goal("blob HEAD", "blob HEAD", 10, DOCKER)
    yield Goal("blob GET, 1 KiB", "blob 1 KiB", 10, DOCKER)
    yield Goal("blob GET, 1 MiB", "blob 1 MiB", 3, DOCKER)
    yield Goal("blob GET, 1 MiB", "blob 1 MiB", 0.7, NGINX)
    yield Goal("blob GET, {large}", "blob large", 1, NGINX)
    for size in ("1 KiB", "1 MiB", "large"):
        for way in (Way.PUT, Way.PATCH, Way.CHUNKS):
            title = "{large}" if size == "large" else size
            yield Goal(f"push {title}, {way}", f"push {size}, {way}", 2, DOCKER)
    yield Goal("tags, first page", "tags first 100", 20, DOCKER)
    yield Goal("tags, deep page", "tags deep 100", 20, DOCKER)
    yield Goal("catalog, first page", "catalog first 100", 20, DOCKER)
    yield Goal("catalog, deep page", "catalog deep 100", 20, DOCKER)
    yield Limit("start-up, seconds", "start-up", 1)
    yield Goal("upload of {large} over TLS, HTTP/2", f"upload, go, {HTTP2}", 0.75, TLS, f"upload, go, {HTTP1}", TLS)
    for workload in growth.WORKLOADS:
        yield Goal(f"{growth.MANY}: {workload.title}", workload.name, FLAT, growth.FEW, subject=growth.MANY)


GOALS: Sequence[Goal | Limit] = tuple(_goals())


def judge(goals: Sequence[Goal | Limit], workloads: Sequence[Workload], results: Results) -> list[Verdict]:
    """Compare a run with the goals."""
    better = {workload.name: workload.better for workload in workloads}
    verdicts = []
    for goal in goals:
        subject = goal.subject if isinstance(goal, Goal) else OURS
        ours = results.get(goal.workload, {}).get(subject)
        if isinstance(goal, Limit):
            verdicts.append(Verdict(goal, ours.median if ours else None))
            continue
        theirs = results.get(goal.against or goal.workload, {}).get(goal.peer)
        measured = times_as_good(ours.median, theirs.median, better[goal.workload]) if ours and theirs else None
        verdicts.append(Verdict(goal, measured))
    return verdicts
