"""Clients rest when they are told to, and what strikes in the moment of an acknowledgement does so."""

import threading
import time

import pytest

from faults.crashes.ledger import Effect, Kind, Ledger
from faults.crashes.workload import Gate, Workload
from harness.subjects import OURS, running


def test_a_closed_gate_blocks_until_it_opens_or_the_run_ends():
    gate, passes = Gate(3), []

    def client():
        while gate.passed():
            passes.append(1)
            time.sleep(0.001)

    threads = [threading.Thread(target=client) for _ in range(3)]
    for thread in threads:
        thread.start()
    gate.close()
    seen = len(passes)
    time.sleep(0.05)
    assert len(passes) == seen
    gate.open()
    while len(passes) == seen:
        time.sleep(0.001)
    gate.end()
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()


def test_a_gate_that_a_client_left_waits_for_the_others_only():
    gate = Gate(1)
    gate.leave()
    gate.close()


@pytest.fixture(scope="module")
def workload(tmp_path_factory):
    with running(OURS, tmp_path_factory.mktemp("registry")) as registry:
        workload = Workload(lambda: registry.address, Ledger(), seed=1, clients=2)
        workload.start()
        yield workload
        workload.stop()


def test_a_strike_happens_in_the_thread_of_the_client_that_was_acknowledged(workload):
    threads, before = [], workload.ledger.acknowledged
    workload.strike(lambda: threads.append(threading.current_thread()), after=3, seconds=60)
    [thread] = threads
    assert thread is not threading.main_thread()
    assert workload.ledger.acknowledged >= before + 3


def test_a_strike_happens_in_time_when_nothing_is_acknowledged(workload):
    workload.pause()
    threads = []
    workload.strike(lambda: threads.append(threading.current_thread()), after=1, seconds=0.1)
    assert threads == [threading.current_thread()]
    workload.go_on()


def test_clients_at_rest_have_nothing_under_way_and_found_no_fault(workload):
    workload.pause()
    begun = workload.ledger.begun
    time.sleep(0.1)
    assert workload.ledger.begun == begun
    assert workload.faults == []
    kinds = {key.kind for key in workload.ledger.all_keys()}
    assert kinds == set(Kind)
    workload.go_on()


def test_a_client_that_sees_what_must_be_gone_tells(workload):
    workload.pause()
    for key in workload.ledger.all_keys():
        if key.kind is Kind.BLOB and key.repository.startswith("team"):
            workload.ledger.begin(Effect(key, None)).acknowledge()
    workload.go_on()
    deadline = time.monotonic() + 60
    while not workload.faults and time.monotonic() < deadline:
        time.sleep(0.05)
    assert "while serving: allowed absent, found present" in workload.faults[0]
