"""Workloads: a name, a unit, and a function that measures one round on one subject."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.generators import Load
from bench.loading import Data
from bench.processes import cpu_seconds
from bench.results import Better, Sample
from bench.subjects import Target


@dataclass(frozen=True, slots=True)
class Round:
    """One round on one subject. `number` counts rounds, so that content to push is new in each."""

    target: Target
    data: Data
    folder: Path
    seconds: int
    number: int


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload. `measure` raises `NotOffered` for a subject without the feature."""

    name: str
    title: str
    unit: str
    measure: Callable[[Round], Sample]
    better: Better = Better.HIGHER
    quick: bool = False
    """Whether it is part of the quick set."""
    files: bool = False
    """Whether it can run against plain files."""
    writes: bool = False
    """Whether it leaves writes in the page cache, which must not slow the next subject."""
    stopped: bool = False
    """Whether it starts the subject itself, which must be stopped."""
    group: str = ""
    """Workloads of a group are compared with each other, so their rounds are interleaved too."""
    max_rounds: int = 1000


@dataclass(slots=True)
class Spent:
    """The CPU seconds of a server during a block."""

    seconds: float = field(default=0.0)

    def sample(self, value: float, operations: float) -> Sample:
        """Return the sample of a round with this number of operations."""
        return Sample(value, self.seconds / operations if operations else None)


@contextmanager
def spending(target: Target) -> Iterator[Spent]:
    """Count the CPU time of all the subject's processes during the block."""
    spent = Spent()
    before = cpu_seconds(target.running.processes())
    yield spent
    spent.seconds = cpu_seconds(target.running.processes()) - before


def rate_of(round_: Round, load: Callable[[], Load]) -> Sample:
    """Return operations a second of a load."""
    with spending(round_.target) as spent:
        done = load()
    return spent.sample(done.rate, done.operations)
