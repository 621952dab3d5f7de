"""Results as Markdown: ratios, figures, goals."""

from collections.abc import Callable, Sequence

from bench.goals import Goal, Limit, Verdict
from bench.results import Figure, Results, times_as_good
from bench.workloads import Workload

Titled = Callable[[str], str]
"""Fills sizes into a title: `{large}` → `256 MiB`."""
NONE = "–"


def ratios(workloads: Sequence[Workload], results: Results, subjects: Sequence[str], titled: Titled) -> str:
    """Return a table of the figures of the first subject, and of its ratio to each of the others."""
    ours, *peers = subjects
    rows = []
    for workload in workloads:
        found = results.get(workload.name, {})
        if ours not in found:
            continue
        mine = found[ours]
        against = [
            times(times_as_good(mine.median, found[peer].median, workload.better)) if peer in found else NONE
            for peer in peers
        ]
        rows.append([titled(workload.title), f"{number(mine.median)} {workload.unit}", *against])
    return table(["", ours, *(f"compared with {peer}" for peer in peers)], rows)


def figures(workloads: Sequence[Workload], results: Results, subjects: Sequence[str], titled: Titled) -> str:
    """Return a table of every figure: the median, the lowest and the highest round, CPU time for each operation."""
    rows = []
    for workload in workloads:
        found = results.get(workload.name, {})
        if found:
            cells = [_cell(found[subject]) if subject in found else NONE for subject in subjects]
            rows.append([f"{titled(workload.title)}, {workload.unit}", *cells])
    return table(["", *subjects], rows)


def goals(verdicts: Sequence[Verdict], titled: Titled) -> str:
    """Return a table of goals."""
    rows = [
        [titled(verdict.goal.what), *_wanted(verdict.goal), _measured(verdict), _answer(verdict)]
        for verdict in verdicts
    ]
    return table(["goal", "compared with", "wanted", "measured", ""], rows)


def section(title: str, text: str) -> str:
    """Return a text under a heading."""
    return f"## {title}\n\n{text}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = True) -> str:
    """Return a Markdown table; the first column is text, the others are right-aligned if they are numbers."""
    lines = [head, ["---", *(["---:" if numbers else "---"] * (len(head) - 1))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def number(value: float) -> str:
    """Return a figure with about three digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def times(ratio: float) -> str:
    return f"{number(ratio)} ×"


def duration(seconds: float) -> str:
    """Return a short time with its unit."""
    return f"{seconds * 1e6:,.0f} µs" if seconds < 0.01 else f"{seconds * 1e3:,.0f} ms"


def _cell(found: Figure) -> str:
    spread = f"{number(found.median)} ({number(found.low)}–{number(found.high)})"
    return spread if found.cpu is None else f"{spread}, {duration(found.cpu)}"


def _wanted(goal: Goal | Limit) -> tuple[str, str]:
    if isinstance(goal, Limit):
        return "", f"≤ {number(goal.maximum)}"
    return goal.against or goal.peer, f"≥ {number(goal.wanted)} ×"


def _measured(verdict: Verdict) -> str:
    if verdict.measured is None:
        return NONE
    return number(verdict.measured) if isinstance(verdict.goal, Limit) else times(verdict.measured)


def _answer(verdict: Verdict) -> str:
    return {True: "reached", False: "**not reached**", None: "not measured"}[verdict.reached]
