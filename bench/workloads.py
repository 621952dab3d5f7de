"""What a workload is: a name, a unit, and how one round of it is measured on one subject."""

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
    """Something to measure. `measure` raises `NotOffered` for a subject that has no such thing."""

    name: str
    title: str
    unit: str
    measure: Callable[[Round], Sample]
    better: Better = Better.HIGHER
    quick: bool = False
    """Whether it is part of the quick set."""
    files: bool = False
    """Whether plain files can be asked for it."""
    writes: bool = False
    """Whether it leaves work for the disk, which must not fall on the next subject."""
    stopped: bool = False
    """Whether it starts the subject itself."""
    beside: str = ""
    """Workloads of one `beside` are compared with each other, so their rounds are interleaved too."""
    most_rounds: int = 1000


@dataclass(slots=True)
class Spent:
    """CPU seconds of a server during a block."""

    seconds: float = field(default=0.0)

    def sample(self, value: float, operations: float) -> Sample:
        """Return a round in which so many operations were done."""
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
