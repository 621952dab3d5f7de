"""Results as values: samples of a workload on a subject, their median and spread, and ratios."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """The better direction of a figure."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round: the figure in the workload's unit, and the server's CPU seconds for each operation."""

    value: float
    cpu: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """All rounds of one workload on one subject."""

    median: float
    low: float
    high: float
    cpu: float | None
    """The median of the CPU seconds for each operation."""


def figure(samples: Sequence[Sample]) -> Figure:
    """Return the figure of at least one round."""
    values = [sample.value for sample in samples]
    cpu = [sample.cpu for sample in samples if sample.cpu is not None]
    return Figure(statistics.median(values), min(values), max(values), statistics.median(cpu) if cpu else None)


Results = Mapping[str, Mapping[str, Figure]]
"""Figures by the name of the workload, then of the subject; without those that a subject does not offer."""


def times_as_good(ours: float, theirs: float, better: Better) -> float:
    """Return the factor by which ours is better: 2 is twice the rate, or half the time."""
    above, below = (ours, theirs) if better is Better.HIGHER else (theirs, ours)
    return above / below if below else float("inf")
