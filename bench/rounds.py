"""Rounds, interleaved: within a round every subject has its turn, and every round begins with another subject.

    round 1: A B C     round 2: B C A     round 3: C A B

So a machine that gets slower for a minute is slow for all of them, and nobody always comes after the same neighbour.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.generators import LoadFailed, NotOffered
from bench.loading import Data
from bench.results import Results, Sample, figure
from bench.subjects import Target
from bench.workloads import Round, Workload


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured, and over what."""

    data: Data
    folder: Path
    rounds: int
    seconds: int


def rotated(items: Sequence[Target], by: int) -> Sequence[Target]:
    """Return the items, beginning with another one each time."""
    start = by % len(items) if items else 0
    return [*items[start:], *items[:start]]


def measure(
    workloads: Sequence[Workload], targets: Sequence[Target], plan: Plan, say: Callable[[str], None]
) -> Results:
    """Measure every workload on every subject that offers it; `say` is told how far it is."""
    results = {}
    for number, workload in enumerate(workloads, 1):
        able = [target for target in targets if workload.files or not target.entrant.files]
        samples = _rounds(workload, able, plan, say)
        results[workload.name] = {name: figure(found) for name, found in samples.items() if found}
        figures = ", ".join(f"{name} {found.median:,.1f}" for name, found in results[workload.name].items())
        say(f"{number}/{len(workloads)} {workload.name}: {figures} {workload.unit}")
    return results


def _rounds(
    workload: Workload, targets: Sequence[Target], plan: Plan, say: Callable[[str], None]
) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {target.name: [] for target in targets}
    unable = set()
    for number in range(1, plan.rounds + 1):
        for target in rotated(targets, number):
            if target.name in unable:
                continue
            if workload.writes:
                os.sync()
            try:
                sample = workload.measure(Round(target, plan.data, plan.folder, plan.seconds, number))
                samples[target.name].append(sample)
            except NotOffered:
                unable.add(target.name)
            except LoadFailed as failure:
                say(f"{target.name} failed in {workload.name}: {failure}")
                unable.add(target.name)
    # A subject that failed once has no figure: a median of what went well would hide it.
    return {name: found for name, found in samples.items() if name not in unable}
