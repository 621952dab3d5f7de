"""The positions of all numbers in a row."""

from collections.abc import Iterator, Mapping, Sequence

from simple_registry.metrics.board import Board
from simple_registry.metrics.exposition import Histogram, Samples, Series
from simple_registry.metrics.families import COMMITS, SAMPLED, Family, Kind
from simple_registry.metrics.requests import Pair, RequestLayout, request_samples

ROWS_OF_WORKER = 16
"""Rows for each worker: the worker, its successor, and predecessors that still finish uploads after a reload."""

_COMMIT_BUCKETS = len(COMMITS.bounds) + 1


class Layout:
    """The positions of all numbers in a row."""

    def __init__(self, endpoints: Sequence[Pair]) -> None:
        self.requests = RequestLayout(endpoints)
        self.commits = self.requests.end
        after = self.commits + _COMMIT_BUCKETS + 1
        keys = [(family, series) for family in SAMPLED for series in family.series]
        self.at: Mapping[tuple[Family, Series], int] = {key: after + number for number, key in enumerate(keys)}
        self.gauges = tuple(at for (family, _), at in self.at.items() if family.kind is Kind.GAUGE)
        """Positions to clear when a process ends."""
        self.width = after + len(keys)

    def board(self, workers: int) -> Board:
        """Return a board for the parent and `workers` workers."""
        return Board(rows=1 + workers * ROWS_OF_WORKER, width=self.width)

    def samples(self, totals: Sequence[float]) -> Iterator[Samples]:
        """Yield the metrics held in the sums of all rows."""
        yield from request_samples(self.requests, totals)
        commits = totals[self.commits : self.commits + _COMMIT_BUCKETS]
        yield Samples(COMMITS, {(): Histogram(commits, totals[self.commits + _COMMIT_BUCKETS])})
        for family in SAMPLED:
            yield Samples(family, {series: totals[self.at[family, series]] for series in family.series})
