"""Interleaved rounds: each round measures every subject once, and begins with a different one.

    round 1: A B C     round 2: B C A     round 3: C A B

So a machine that is slow for a minute is slow for all of them, and no subject always follows the same one.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.generators import LoadFailed, NotOffered
from bench.loading import Data
from bench.results import Figure, Results, Sample, figure
from bench.subjects import Target
from bench.workloads import Round, Workload


@dataclass(frozen=True, slots=True)
class Plan:
    """The data, the folder for temporary files, and the number and length of rounds."""

    data: Data
    folder: Path
    rounds: int
    seconds: int


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """One workload on one subject."""

    workload: Workload
    target: Target


def rotated(turns: Sequence[Turn], by: int) -> Sequence[Turn]:
    """Return the turns, rotated."""
    start = by % len(turns) if turns else 0
    return [*turns[start:], *turns[:start]]


def measure(
    workloads: Sequence[Workload], targets: Sequence[Target], plan: Plan, log_progress: Callable[[str], None]
) -> Results:
    """Measure every workload on every subject that offers it; `log_progress` reports progress."""
    results: dict[str, dict[str, Figure]] = {}
    for _, group in itertools.groupby(workloads, lambda workload: workload.group or workload.name):
        members = list(group)
        turns = [
            Turn(workload, target)
            for workload in members
            for target in targets
            if workload.files or not target.entrant.files
        ]
        samples = _rounds(turns, plan, log_progress)
        for workload in members:
            own = [turn for turn in turns if turn.workload is workload and samples[turn]]
            results[workload.name] = {turn.target.name: figure(samples[turn]) for turn in own}
            medians = [f"{name} {found.median:,.1f}" for name, found in results[workload.name].items()]
            log_progress(f"{workload.name}: {', '.join(medians)} {workload.unit}")
    return results


def _rounds(turns: Sequence[Turn], plan: Plan, log_progress: Callable[[str], None]) -> dict[Turn, list[Sample]]:
    samples: dict[Turn, list[Sample]] = {turn: [] for turn in turns}
    failed = set()
    for number in range(1, plan.rounds + 1):
        for turn in rotated(turns, number):
            if turn in failed or number > turn.workload.max_rounds:
                continue
            if turn.workload.writes:
                os.sync()
            try:
                sample = turn.workload.measure(Round(turn.target, plan.data, plan.folder, plan.seconds, number))
                samples[turn].append(sample)
            except NotOffered:
                failed.add(turn)
            except LoadFailed as failure:
                log_progress(f"{turn.target.name} failed in {turn.workload.name}: {failure}")
                failed.add(turn)
    # A subject that failed once has no figure: a median of the other rounds would hide the failure.
    return {turn: [] if turn in failed else found for turn, found in samples.items()}
