"""Requests: one number holds status and duration, and both come out again."""

from itertools import pairwise

import pytest

from simple_registry.metrics.board import Board
from simple_registry.metrics.exposition import exposition
from simple_registry.metrics.requests import (
    BLOCK,
    NO_ENDPOINT,
    STATUSES,
    RequestLayout,
    RequestNumbers,
    counted,
    request_samples,
)
from support.exposition import parse, value

PAIRS = [("get_blob", "GET"), ("get_blob", "HEAD"), ("put_manifest", "PUT")]


@pytest.fixture
def layout():
    return RequestLayout(PAIRS, 7)


@pytest.fixture
def board(layout):
    board = Board(rows=1, width=layout.end)
    board.use(0)
    return board


@pytest.fixture
def observe(layout, board):
    numbers = RequestNumbers(layout, board.row(0))

    def observe(pair, *facts):
        numbers.observe(counted(*pair), *facts)
        numbers.copy()

    return observe


@pytest.fixture
def exported(layout, board):
    return lambda: parse(exposition(request_samples(layout, board.totals())).decode())


def test_each_status_of_each_endpoint_is_counted_by_itself(observe, exported):
    for number, pair in enumerate(PAIRS):
        for status in STATUSES:
            for _ in range(number + 1):
                observe(pair, status, 0.01, 0, 0)
    for number, (endpoint, method) in enumerate(PAIRS):
        for status in STATUSES:
            labels = {"endpoint": endpoint, "method": method, "status": str(status)}
            assert value(exported(), "simple_registry_requests_total", **labels) == number + 1


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0.0, "0.001"), (0.001, "0.001"), (0.0011, "0.005"), (59.0, "60"), (61.0, "+Inf")]
)
def test_a_duration_is_in_the_first_bucket_that_holds_it(observe, exported, seconds, bound):
    observe(PAIRS[0], 200, seconds, 0, 0)
    buckets = {
        dict(labels)["le"]: n
        for (end, labels), n in exported()["simple_registry_request_seconds"].samples.items()
        if end == "_bucket"
    }
    assert next(le for le, number in buckets.items() if number) == bound
    assert value(exported(), "simple_registry_request_seconds", "_sum") == seconds


def test_bytes_are_added_up(observe, exported):
    observe(PAIRS[0], 200, 0.1, 0, 1000)
    observe(PAIRS[0], 206, 0.1, 0, 24)
    observe(PAIRS[2], 201, 0.1, 77, 0)
    assert value(exported(), "simple_registry_sent_bytes_total") == 1024
    assert value(exported(), "simple_registry_received_bytes_total") == 77


def test_unexpected_statuses_and_methods_are_other(observe, exported):
    observe(PAIRS[0], 299, 0.1, 0, 0)
    observe((NO_ENDPOINT, "GET"), 404, 0.1, 0, 0)
    observe((NO_ENDPOINT, "BREW"), 405, 0.1, 0, 0)
    requests = {labels: n for (_, labels), n in exported()["simple_registry_requests_total"].samples.items()}
    assert {tuple(dict(labels).values()): number for labels, number in requests.items()} == {
        ("get_blob", "GET", "other"): 1,
        ("none", "GET", "404"): 1,
        ("none", "other", "405"): 1,
    }


def test_a_process_continues_from_the_numbers_of_its_row(layout, board, observe, exported):
    observe(PAIRS[0], 200, 0.5, 1, 2)
    later = RequestNumbers(layout, board.row(0))
    for _ in range(2):
        later.observe(counted(*PAIRS[0]), 200, 0.25, 1, 2)
        later.copy()
    assert value(exported(), "simple_registry_requests_total") == 3
    assert value(exported(), "simple_registry_request_seconds", "_sum") == 1
    assert value(exported(), "simple_registry_received_bytes_total") == 3


def test_endpoints_without_requests_are_left_out(exported):
    assert all(not metric.samples for metric in exported().values())


def test_blocks_do_not_overlap(layout):
    starts = sorted(layout.at.values())
    assert starts[0] == 7
    assert all(after - before == BLOCK for before, after in pairwise(starts))
    assert layout.end == starts[-1] + BLOCK
