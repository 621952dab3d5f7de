"""The measurements of one process, and the metrics of all.

Code on a hot path adds one to an attribute of its own and knows nothing of metrics. These totals are copied into the
row of the process every second, before an answer, and at the end of the process.
"""

import os
import resource
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence

from simple_registry.metrics.exposition import Samples, Series, exposition
from simple_registry.metrics.families import ASKED, COMMITS, CPU, RESIDENT, START_TIME, Family, Kind
from simple_registry.metrics.processes import Processes
from simple_registry.metrics.requests import RequestNumbers
from simple_registry.periodic import repeat

INTERVAL = 1.0
"""Seconds between two copies, and so the maximum age of the totals of other processes."""

Read = Callable[[], float]


class Measures:
    """The measurements of one process. Made after the fork, when its row is known."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._layout = processes.layout
        self._row = processes.mine
        self._before = self._row.tolist()
        self._watched: list[tuple[int, Read, float]] = []
        self._asked: dict[Family, Callable[[], Awaitable[Mapping[Series, float]]]] = {}
        self._commit_sizes: Callable[[], Sequence[int]] | None = None
        self.requests = RequestNumbers(self._layout.requests, self._row)
        self.watch(CPU, _cpu_seconds)
        self.watch(RESIDENT, _resident_bytes)
        self.ask(START_TIME, lambda: {(): processes.started})

    def watch(self, family: Family, read: Read, *series: str) -> None:
        """Copy the result of `read`: the total since the start of this process, or a gauge."""
        at = self._layout.at[family, series]
        self._watched.append((at, read, 0.0 if family.kind is Kind.GAUGE else self._before[at]))

    def watch_commits(self, sizes: Callable[[], Sequence[int]]) -> None:
        """Copy the number of commits by their number of changes, from 0 on."""
        self._commit_sizes = sizes

    def ask(self, family: Family, read: Callable[[], Mapping[Series, float]]) -> None:
        """Export the result of `read` at the time of the request."""

        async def at_once() -> Mapping[Series, float]:
            return read()

        self.query(family, at_once)

    def query(self, family: Family, read: Callable[[], Awaitable[Mapping[Series, float]]]) -> None:
        """Export the result of `read` at the time of the request; for reads that wait."""
        self._asked[family] = read

    def copy(self) -> None:
        """Copy all totals into the row."""
        self.requests.copy()
        for at, read, before in self._watched:
            self._row[at] = before + read()
        if self._commit_sizes is not None:
            self._copy_commits(self._commit_sizes())

    def _copy_commits(self, sizes: Sequence[int]) -> None:
        counts = [0] * (len(COMMITS.bounds) + 1)
        for size, count in enumerate(sizes):
            if count:
                counts[bisect_left(COMMITS.bounds, size)] += count
        changes = sum(size * count for size, count in enumerate(sizes))
        for at, value in enumerate((*counts, changes), self._layout.commits):
            self._row[at] = self._before[at] + value

    async def run(self) -> None:
        """Copy now, then every second until cancelled."""
        await repeat(self._copy, INTERVAL, "copying metrics", at_once=True)

    async def _copy(self) -> None:
        self.copy()

    async def text(self) -> bytes:
        """Return the metrics of all processes in the format of Prometheus."""
        self.copy()
        samples = list(self._layout.samples(self._processes.board.totals()))
        samples += [Samples(family, await self._values(family)) for family in ASKED]
        return exposition(samples)

    async def _values(self, family: Family) -> Mapping[Series, float]:
        """Return the values of a metric; none if reading fails, so that the other metrics stay available."""
        try:
            return await self._asked[family]() if family in self._asked else {}
        except Exception:  # noqa: BLE001 (requests to the failing part report it)
            return {}


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _resident_bytes() -> float:
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (every second; a plain call is cheaper)
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0.0
