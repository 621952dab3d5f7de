"""The numbers that a process copies into its row, and the metrics of all processes."""

import asyncio
import contextlib

import pytest

from simple_registry.metrics import families, measures as module
from simple_registry.metrics.layout import Layout
from simple_registry.metrics.measures import Measures
from simple_registry.metrics.processes import Processes
from simple_registry.metrics.requests import counted
from support.exposition import parse, value

LAYOUT = Layout([("get_blob", "GET")])


@pytest.fixture
def processes():
    return Processes(LAYOUT, 2)


def next_process(processes):
    """Return the measures of a worker that took a row just now, in this process for once."""
    number = processes.begin()
    processes.become(number)
    return number, Measures(processes)


def exported(measures):
    return parse(asyncio.run(measures.text()).decode())


def test_a_total_continues_from_the_previous_process(processes):
    number, first = next_process(processes)
    first.watch(families.COLLECTED, lambda: 7, "contents")
    first.copy()
    first.copy()
    processes.ended(number)
    _, second = next_process(processes)
    second.watch(families.COLLECTED, lambda: 3, "contents")
    assert value(exported(second), families.COLLECTED.name, what="contents") == 10


def test_a_gauge_is_that_of_the_processes_that_live(processes):
    number, first = next_process(processes)
    first.watch(families.ACCESS_STALE, lambda: True)
    first.copy()
    _, second = next_process(processes)
    second.watch(families.ACCESS_STALE, lambda: True)
    assert value(exported(second), families.ACCESS_STALE.name) == 2
    processes.ended(number)
    assert value(exported(second), families.ACCESS_STALE.name) == 1


def test_any_process_exports_the_requests_of_all(processes):
    for _ in range(3):
        _, measures = next_process(processes)
        measures.requests.observe(counted("get_blob", "GET"), 200, 0.5, 0, 10)
        measures.copy()
    assert value(exported(measures), families.REQUESTS.name, status="200") == 3
    assert value(exported(measures), families.SENT.name) == 30


def test_commits_are_exported_by_their_size(processes):
    number, first = next_process(processes)
    first.watch_commits(lambda: [0, 5, 0, 2])
    first.copy()
    processes.ended(number)
    _, second = next_process(processes)
    second.watch_commits(lambda: [0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    metrics = exported(second)
    name = families.COMMITS.name
    assert (value(metrics, name, "_count"), value(metrics, name, "_sum")) == (8, 5 + 6 + 9)
    assert [value(metrics, name, "_bucket", le=bound) for bound in ("1", "2", "4", "8", "16")] == [5, 5, 7, 7, 8]


def test_unavailable_values_are_omitted_and_others_exported(processes):
    _, measures = next_process(processes)

    def broken():
        raise OSError("the disk is gone")

    measures.ask(families.DISK_FREE, broken)
    measures.ask(families.DISK_SIZE, lambda: {(): 5})
    metrics = exported(measures)
    assert metrics[families.DISK_FREE.name].samples == {}
    assert value(metrics, families.DISK_SIZE.name) == 5
    assert value(metrics, families.START_TIME.name) == int(processes.started * 1e6) / 1e6 or processes.started


def test_a_process_knows_its_own_cost(processes):
    _, measures = next_process(processes)
    metrics = exported(measures)
    assert value(metrics, families.CPU.name) > 0
    assert value(metrics, families.RESIDENT.name) > 1_000_000


def test_totals_are_copied_again_and_again(processes, monkeypatch):
    monkeypatch.setattr(module, "INTERVAL", 0.01)
    _, measures = next_process(processes)
    seen = []
    measures.watch(families.COLLECTED, lambda: seen.append(1) or len(seen), "tokens")

    async def run():
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(measures.run(), 0.1)

    asyncio.run(run())
    assert len(seen) > 2
    assert processes.mine[LAYOUT.at[families.COLLECTED, ("tokens",)]] == len(seen)
