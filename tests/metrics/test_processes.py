"""Rows of processes: each has its own, counters outlive it, gauges do not."""

import pytest

from simple_registry.metrics.families import ACCESS_STALE, COLLECTED, RELOADS, WORKER_DEATHS, WORKERS
from simple_registry.metrics.layout import Layout
from simple_registry.metrics.processes import Processes

LAYOUT = Layout([("get_blob", "GET")])
COUNTER, GAUGE = LAYOUT.at[COLLECTED, ("contents",)], LAYOUT.at[ACCESS_STALE, ()]


@pytest.fixture
def processes():
    return Processes(LAYOUT, 1)


def total(processes, at):
    return processes.board.totals()[at]


def test_living_processes_never_share_a_row(processes):
    rows = [processes.begin() for _ in range(16)]
    assert len(set(rows)) == 16
    assert 0 not in rows
    processes.ended(rows[3])
    assert processes.begin() == rows[3]


def test_counters_outlive_their_process_and_gauges_do_not(processes):
    row = processes.begin()
    processes.board.row(row)[COUNTER] = 5
    processes.board.row(row)[GAUGE] = 1
    processes.ended(row)
    assert (total(processes, COUNTER), total(processes, GAUGE)) == (5, 0)
    again = processes.begin()
    processes.become(again)
    processes.mine[COUNTER] += 2
    assert total(processes, COUNTER) == 7


def test_a_process_without_a_row_is_uncounted_and_logged(processes, caplog):
    rows = [processes.begin() for _ in range(17)]
    assert rows[16] is None
    assert "leave out" in caplog.text
    processes.become(None)
    processes.mine[COUNTER] += 1
    processes.ended(None)
    assert total(processes, COUNTER) == 0


def test_exits_and_reloads_of_workers_are_counted(processes):
    processes.serving(3)
    processes.serving(2)
    processes.died()
    processes.reloaded(done=True)
    processes.reloaded(done=False)
    processes.reloaded(done=False)
    assert total(processes, LAYOUT.at[WORKERS, ()]) == 2
    assert total(processes, LAYOUT.at[WORKER_DEATHS, ()]) == 1
    assert total(processes, LAYOUT.at[RELOADS, ("done",)]) == 1
    assert total(processes, LAYOUT.at[RELOADS, ("failed",)]) == 2


def test_every_process_sees_since_when_reloads_fail(processes, monkeypatch):
    assert processes.failing_since == 0
    for second in (10.0, 20.0):
        monkeypatch.setattr("time.time", lambda: second)  # noqa: B023 (called in this round)
        processes.reloaded(done=False)
    parent = processes.mine
    processes.become(processes.begin())
    assert processes.failing_since == 10.0
    processes.mine = parent
    processes.reloaded(done=True)
    assert processes.failing_since == 0
    processes.reload_failed()
    assert processes.failing_since == 20.0
