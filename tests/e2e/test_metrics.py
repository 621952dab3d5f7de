"""Metrics of a real server with several workers: exact over all of them, and never going back."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from e2e.server import serve
from support.exposition import parse, value

REQUESTS = "simple_registry_requests_total"
LIMIT = 15.0
COPIED = 1.5
"""Seconds after which every worker has copied its numbers."""


@pytest.fixture
def registry(tmp_path):
    with serve(tmp_path, options=["-workers", "3"]) as registry:
        yield registry


def told(registry):
    answer = registry.request("GET", "/metrics")
    assert answer.status == 200
    return parse(answer.body.decode())


def pings(metrics):
    return value(metrics, REQUESTS, endpoint="get_base", status="200")


def ping(registry, times):
    for _ in range(times):
        assert registry.request("GET", "/v2/").status == 200


def workers(registry):
    return {int(pid) for pid in Path(f"/proc/{registry.pid}/task/{registry.pid}/children").read_text().split()}


def until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_any_worker_reports_the_requests_of_all(registry):
    ping(registry, 60)
    time.sleep(COPIED)
    assert all(pings(told(registry)) == 60 for _ in range(10))
    metrics = told(registry)
    assert value(metrics, "simple_registry_workers") == 3
    assert value(metrics, "simple_registry_cpu_seconds_total") > 0


def test_counters_continue_after_workers_are_killed(registry):
    total = 0
    for _ in range(2):
        for worker in workers(registry):
            ping(registry, 7)
            total += 7
            time.sleep(COPIED)
            before = workers(registry)
            os.kill(worker, signal.SIGKILL)
            until(lambda old=before: len(workers(registry) - old) == 1 and len(workers(registry)) == 3)
            assert pings(told(registry)) == total
    assert value(told(registry), "simple_registry_worker_deaths_total") == 6
    until(lambda: value(told(registry), "simple_registry_workers") == 3)


def test_counters_continue_after_a_reload_replaces_all_workers(registry):
    total = 0
    for round_number in range(1, 4):
        ping(registry, 9)
        total += 9
        before = workers(registry)
        os.kill(registry.pid, signal.SIGHUP)
        until(lambda old=before: not workers(registry) & old and len(workers(registry)) == 3)
        metrics = told(registry)
        assert pings(metrics) == total
        assert value(metrics, "simple_registry_reloads_total", result="done") == round_number
    assert value(metrics, "simple_registry_worker_deaths_total") == 0


def test_a_reload_that_failed_is_a_warning_until_one_succeeds(registry, tmp_path):
    failed, password = "simple_registry_reload_failed_time_seconds", tmp_path / "admin-password"
    password.rename(tmp_path / "elsewhere")
    os.kill(registry.pid, signal.SIGHUP)
    until(lambda: value(told(registry), failed) > time.time() - LIMIT)
    assert "reload" in warnings(registry)
    (tmp_path / "elsewhere").rename(password)
    os.kill(registry.pid, signal.SIGHUP)
    until(lambda: value(told(registry), failed) == 0)
    assert "reload" not in warnings(registry)


def warnings(registry):
    return {warning["about"] for warning in json.loads(registry.request("GET", "/readyz").body)["warnings"]}
