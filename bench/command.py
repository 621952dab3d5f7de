"""The command: which subjects, which workloads, how long; prints tables, or writes them into docs/performance.md."""

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import loading, pushes, reads, rounds, tables
from bench.goals import GOALS, judge
from bench.loading import FULL, MIB, QUICK, Data
from bench.machine import describe
from bench.results import Results
from bench.rounds import Plan
from bench.subjects import Entrant, Target, entrants
from bench.workloads import Workload
from faults.subjects import running

WORKLOADS = [*reads.WORKLOADS, *pushes.WORKLOADS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    if not shutil.which("wrk"):
        print("wrk is needed: apt install wrk", file=sys.stderr)
        return 1
    subjects = [entrant for entrant in entrants() if _chosen(entrant.name, options.subjects)]
    workloads = [
        workload
        for workload in WORKLOADS
        if (_chosen(workload.name, options.workloads) if options.workloads else options.full or workload.quick)
    ]
    if options.list:
        print("subjects:", *(entrant.name for entrant in subjects), "workloads:", sep="\n  ")
        print(*(f"  {workload.name}" for workload in WORKLOADS), sep="\n")
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder) as temporary:
        results = run(subjects, workloads, options, Path(temporary))
        print(report(workloads, results, subjects, options, Path(temporary)))
    return 0


def run(
    subjects: Sequence[Entrant], workloads: Sequence[Workload], options: argparse.Namespace, folder: Path
) -> Results:
    """Start and load the subjects, and measure."""
    data = loading.make(FULL if options.full else QUICK)
    with loaded(subjects, data, folder) as targets:
        return rounds.measure(workloads, targets, Plan(data, folder, options.rounds, options.seconds), say)


@contextmanager
def loaded(subjects: Sequence[Entrant], data: Data, folder: Path) -> Iterator[list[Target]]:
    """Run the subjects with the data in them for the length of the block."""
    with ExitStack() as stack:
        targets = []
        for number, entrant in enumerate(subjects):
            started = time.monotonic()
            registry = stack.enter_context(running(entrant.subject, folder / str(number)))
            targets.append(Target(entrant, registry))
            loading.load(targets[-1], data, folder)
            say(f"loaded {entrant.name} in {time.monotonic() - started:.0f} s")
        yield targets


def report(
    workloads: Sequence[Workload],
    results: Results,
    subjects: Sequence[Entrant],
    options: argparse.Namespace,
    folder: Path,
) -> str:
    """Return the tables of a run."""
    size = FULL if options.full else QUICK
    names = [entrant.name for entrant in subjects]

    def titled(title: str) -> str:
        return title.format(
            large=f"{size.large // MIB} MiB",
            tags=f"{size.tags:,}",
            repositories=f"{size.repositories:,}",
            referrers=f"{size.referrers:,}",
        )

    verdicts = [verdict for verdict in judge(GOALS, WORKLOADS, results) if verdict.measured is not None]
    parts = [
        tables.ratios(workloads, results, names, titled),
        tables.figures(workloads, results, names, titled),
        tables.goals(verdicts, titled),
        tables.table(["", ""], describe(folder)),
    ]
    return "\n".join(parts)


def say(line: str) -> None:
    """Tell how far it is."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _chosen(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(part in name for part in wanted)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all workloads, with as much data as the goals speak of")
    parser.add_argument("--workloads", nargs="+", default=[], metavar="PART", help="those whose names hold a PART")
    parser.add_argument("--subjects", nargs="+", default=[], metavar="PART", help="likewise")
    parser.add_argument("--rounds", type=int, default=3, help="(default: 3)")
    parser.add_argument("--seconds", type=int, default=1, help="length of a round (default: 1)")
    parser.add_argument("--folder", help="where data is kept while it runs (default: the system's temporary folder)")
    parser.add_argument("--list", action="store_true", help="print what there is, and stop")
    return parser.parse_args(arguments)
