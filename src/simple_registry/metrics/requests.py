"""Request metrics, counted by endpoint, method, status and duration in a single number, so that counting is cheap.

Each pair of endpoint and method has a block in a row: the requests by status and duration bucket, and the sums of
seconds and bytes. The counter by status and the histogram by duration are both sums over the first.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from simple_registry.metrics.board import Row
from simple_registry.metrics.exposition import Histogram, Samples, Series
from simple_registry.metrics.families import RECEIVED, REQUEST_SECONDS, REQUESTS, SENT

NO_ENDPOINT = "none"
"""The endpoint of requests that match none: an unknown path, or a method that the path does not support."""

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
OTHER = "other"

STATUSES = (
    *(200, 201, 202, 204, 206, 304, 307),
    *(400, 401, 403, 404, 405, 408, 409, 412, 413, 414, 415, 416, 429, 499),
    *(500, 503, 507),
)
"""Statuses with a counter of their own; all others are counted as `other`."""

_BOUNDS = REQUEST_SECONDS.bounds
_FIRST = _BOUNDS[0]
BUCKETS = len(REQUEST_SECONDS.bounds) + 1
_COUNTS = (len(STATUSES) + 1) * BUCKETS
_SECONDS, _RECEIVED, _SENT = _COUNTS, _COUNTS + 1, _COUNTS + 2
BLOCK = _COUNTS + 3

Pair = tuple[str, str]
"""An endpoint's name and a method."""


def counted(endpoint: str, method: str) -> str:
    """Return the key of a pair: unlike a tuple, a text caches its hash."""
    return f"{endpoint} {method}"


class RequestLayout:
    """The positions of the blocks of all pairs of endpoint and method."""

    def __init__(self, endpoints: Sequence[Pair], start: int = 0) -> None:
        """Assign a block to each pair, and to requests without an endpoint, from `start` on."""
        pairs = [*endpoints, *((NO_ENDPOINT, method) for method in (*METHODS, OTHER))]
        self.at: Mapping[Pair, int] = {pair: start + number * BLOCK for number, pair in enumerate(pairs)}
        self.end = start + len(pairs) * BLOCK


class RequestNumbers:
    """Counts the requests of one process in plain lists, the cheapest way; `copy` transfers them to the row."""

    def __init__(self, layout: RequestLayout, row: Row) -> None:
        """Continue from the numbers in `row`."""
        self._row = row
        self._blocks = {counted(*pair): list(row[at : at + BLOCK]) for pair, at in layout.at.items()}
        self._no_endpoint = self._blocks[counted(NO_ENDPOINT, OTHER)]
        self._statuses = {status: number * BUCKETS for number, status in enumerate(STATUSES)}
        self._copied = [
            (at, self._blocks[counted(*pair)], list(row[at : at + BLOCK])) for pair, at in layout.at.items()
        ]

    def observe(self, name: str, status: int, seconds: float, received: int, sent: int) -> None:
        """Count one request; `name` is the key that `counted` returns."""
        block = self._blocks.get(name, self._no_endpoint)
        at = self._statuses.get(status, _COUNTS - BUCKETS)
        # Most requests are below the first bound, and bisecting costs as much as all the rest.
        block[at if seconds <= _FIRST else at + bisect_left(_BOUNDS, seconds)] += 1
        block[_SECONDS] += seconds
        if received:
            block[_RECEIVED] += received
        if sent:
            block[_SENT] += sent

    def copy(self) -> None:
        """Copy changed blocks into the row."""
        for at, block, copied in self._copied:
            if block != copied:
                copied[:] = block
                self._row[at : at + BLOCK] = memoryview(array("d", block))


def request_samples(layout: RequestLayout, totals: Sequence[float]) -> Iterator[Samples]:
    """Yield the request metrics in `totals`; endpoints without requests are left out."""
    blocks = {pair: totals[at : at + BLOCK] for pair, at in layout.at.items() if any(totals[at : at + _COUNTS])}
    yield Samples(REQUESTS, dict(_by_status(blocks)))
    yield Samples(REQUEST_SECONDS, {pair: _by_duration(block) for pair, block in blocks.items()})
    yield Samples(RECEIVED, {pair: block[_RECEIVED] for pair, block in blocks.items()})
    yield Samples(SENT, {pair: block[_SENT] for pair, block in blocks.items()})


def _by_status(blocks: Mapping[Pair, Sequence[float]]) -> Iterator[tuple[Series, float]]:
    words = (*map(str, STATUSES), OTHER)
    for pair, block in blocks.items():
        for number, word in enumerate(words):
            count = sum(block[number * BUCKETS : (number + 1) * BUCKETS])
            if count:
                yield (*pair, word), count


def _by_duration(block: Sequence[float]) -> Histogram:
    return Histogram([sum(block[bucket:_COUNTS:BUCKETS]) for bucket in range(BUCKETS)], block[_SECONDS])
