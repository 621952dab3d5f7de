"""Compare registries: print tables, or write them to docs/results."""

import argparse
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import growth, loading, pages, pushes, reads, resources, rounds, tables, transports
from bench.goals import GOALS, judge
from bench.loading import FULL, MIB, QUICK, Data, Size
from bench.machine import describe
from bench.results import Figure, Results
from bench.rounds import Plan
from bench.subjects import BEFORE, OURS, Entrant, Target, entrants
from bench.workloads import Workload
from harness.result_pages import publish
from harness.subjects import running

COMPARED = [*reads.WORKLOADS, *pushes.WORKLOADS, *resources.WORKLOADS]
"""Workloads of the comparison with other registries. All others measure only ours."""
_USUAL = {"rounds": 3, "seconds": 1}
WORKLOADS = [*COMPARED, *transports.WORKLOADS, *growth.WORKLOADS, *pages.WORKLOADS]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print."""
    options = _options(arguments)
    if not shutil.which("wrk"):
        print("wrk is needed: apt install wrk", file=sys.stderr)
        return 1
    try:
        found = entrants(options.before)
    except FileNotFoundError as error:
        print(error, file=sys.stderr)
        return 1
    subjects = [entrant for entrant in found if entrant.name == BEFORE or _chosen(entrant.name, options.subjects)]
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
        names = [entrant.name for entrant in subjects]
        facts = [
            ("date", time.strftime("%d %B %Y")),
            ("command", f"`{_command(options)}`"),
            *describe(Path(temporary), options.before),
        ]
        text = report(results, names, FULL if options.full else QUICK, facts)
    print(text)
    if options.write:
        publish("performance", "make bench-docs", text)
    return 0


def run(
    subjects: Sequence[Entrant], workloads: Sequence[Workload], options: argparse.Namespace, folder: Path
) -> Results:
    """Start and load the subjects of the workloads, and measure."""
    size = FULL if options.full else QUICK
    results: dict[str, Mapping[str, Figure]] = {}

    def measure(known: Sequence[Workload], targets: Sequence[Target], data: Data) -> None:
        wanted = [workload for workload in workloads if workload in known]
        results.update(
            rounds.measure(wanted, targets, Plan(data, folder, options.rounds, options.seconds), log_progress)
        )

    if _any(workloads, COMPARED):
        data = loading.make(size)
        with loaded(subjects, data, folder) as targets:
            measure([workload for workload in COMPARED if not workload.stopped], targets, data)
        measure(resources.WORKLOADS, [target for target in targets if not target.entrant.files], data)
    if _any(workloads, transports.WORKLOADS):
        with transports.targets(folder, size) as (data, targets):
            measure(transports.WORKLOADS, targets, data)
    if _any(workloads, growth.WORKLOADS):
        with growth.targets(folder) as (data, targets):
            measure(growth.WORKLOADS, targets, data)
    if _any(workloads, pages.WORKLOADS):
        with pages.targets(folder) as (data, targets):
            measure(pages.WORKLOADS, targets, data)
    return results


def _any(wanted: Sequence[Workload], known: Sequence[Workload]) -> bool:
    return any(workload in known for workload in wanted)


@contextmanager
def loaded(subjects: Sequence[Entrant], data: Data, folder: Path) -> Iterator[list[Target]]:
    """Run the loaded subjects for the length of the block."""
    with ExitStack() as stack:
        targets = []
        for number, entrant in enumerate(subjects):
            started = time.monotonic()
            registry = stack.enter_context(running(entrant.subject, folder / str(number)))
            targets.append(Target(entrant, registry))
            loading.load(targets[-1], data, folder)
            log_progress(f"loaded {entrant.name} in {time.monotonic() - started:.0f} s")
        yield targets
        for target in targets:
            target.running.stop()


def report(results: Results, subjects: Sequence[str], size: Size, facts: Sequence[tuple[str, str]]) -> str:
    """Return the tables of a run; `facts` describe the run and the machine."""

    def titled(title: str) -> str:
        return title.format(
            large=f"{size.large // MIB} MiB",
            tags=f"{size.tags:,}",
            repositories=f"{size.repositories:,}",
            referrers=f"{size.referrers:,}",
        )

    verdicts = [verdict for verdict in judge(GOALS, WORKLOADS, results) if verdict.measured is not None]
    sections = [
        ("Compared with other registries", COMPARED, subjects),
        ("TLS", transports.WORKLOADS, [OURS, transports.TLS]),
        ("Small and large stores", growth.WORKLOADS, [growth.MANY, growth.FEW]),
        ("Web pages", pages.WORKLOADS, [pages.WITH, pages.WITHOUT]),
    ]
    parts = [tables.section("Goals", tables.goals(verdicts, titled))] if verdicts else []
    for title, workloads, names in sections:
        measured = [workload for workload in workloads if results.get(workload.name)]
        if measured:
            parts += [
                tables.section(title, tables.ratios(measured, results, names, titled)),
                tables.section(f"{title}: figures", tables.figures(measured, results, names, titled)),
            ]
    return "\n".join([*parts, tables.section("Machine", tables.table(["", ""], facts, numbers=False))])


def log_progress(line: str) -> None:
    """Report progress."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)


def _chosen(name: str, wanted: Sequence[str]) -> bool:
    return not wanted or any(name.startswith(part) for part in wanted)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--full", action="store_true", help="all workloads, with the amount of data of the goals")
    parser.add_argument(
        "--workloads", nargs="+", default=[], metavar="START", help="workloads with a name that begins with a START"
    )
    parser.add_argument(
        "--subjects", nargs="+", default=[], metavar="START", help="subjects with a name that begins with a START"
    )
    parser.add_argument(
        "--before",
        type=Path,
        metavar="PATH",
        help=f'checkout with its own .venv, always measured, as the subject "{BEFORE}"',
    )
    parser.add_argument("--rounds", type=int, default=_USUAL["rounds"], help="(default: %(default)s)")
    parser.add_argument(
        "--seconds", type=int, default=_USUAL["seconds"], help="length of a round (default: %(default)s)"
    )
    parser.add_argument("--folder", help="folder for temporary data (default: the system's)")
    parser.add_argument("--write", action="store_true", help="write docs/results/performance.md; implies --full")
    parser.add_argument("--list", action="store_true", help="list subjects and workloads, and exit")
    options = parser.parse_args(arguments)
    options.full |= options.write
    return options


def _command(options: argparse.Namespace) -> str:
    """Return the command that repeats the run."""
    chosen = [f"--{name} {getattr(options, name)}" for name, usual in _USUAL.items() if getattr(options, name) != usual]
    chosen += [
        f"--{name} {shlex.join(getattr(options, name))}" for name in ("workloads", "subjects") if getattr(options, name)
    ]
    if options.before:
        chosen.append(f"--before {shlex.quote(str(options.before))}")
    if options.full and not options.write:
        chosen.insert(0, "--full")
    target = "make bench-docs" if options.write else "make bench"
    return f'{target} ARGS="{" ".join(chosen)}"' if chosen else target
