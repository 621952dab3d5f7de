import contextlib
import errno
import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from simple_registry.metrics.layout import Layout
from simple_registry.metrics.processes import Processes
from simple_registry.server.listeners import Listener, Listeners
from simple_registry.server.supervisor import HANG_PAUSE, SERVED, Supervisor, _Slot


def test_a_slot_is_refilled_at_once_twice_and_then_a_little_later_each_time():
    slot = _Slot(0)
    delays = []
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.died(moment)
        delays.append(round(slot.refill_at - moment, 3))
    assert delays == [0.0, 0.0, 0.2, 0.4]
    for moment in range(104, 120):
        slot.died(float(moment))
        assert slot.refill_at - moment <= 5.0
    slot.died(1000.0)
    assert slot.refill_at == 1000.0


def test_a_worker_that_served_is_replaced_at_once_however_many_died_before_it():
    slot = _Slot(0)
    for moment in (100.0, 101.0, 102.0, 103.0):
        slot.died(moment)
    slot.died(104.0, served=SERVED)
    assert slot.refill_at == 104.0
    slot.died(105.0)
    assert slot.refill_at == 105.0


def test_a_worker_killed_over_and_over_while_it_serves_is_replaced_each_time_at_once(start):
    process = start("-workers", "1").ready()
    for _ in range(6):
        time.sleep(SERVED)
        os.kill(int(process.get()[0]), signal.SIGKILL)
    begun = time.monotonic()
    process.get()
    assert time.monotonic() - begun < 1.6  # it would be 0.1 * 2**4 s and the time of a start


def test_all_workers_serve_and_stop_gently(start, stop_gently):
    process = start("-workers", "3").ready()
    workers = process.workers()
    assert len(workers) == 3
    process.until(lambda: {int(process.get()[0]) for _ in range(10)} == workers, "an answer of every worker")
    stop_gently(process)
    assert {int(path.name.partition("-")[2]) for path in process.data.glob("stopped-*")} == workers


def test_a_worker_killed_twice_within_two_seconds_is_replaced_each_time(start):
    process = start("-workers", "1").ready()
    begun = time.monotonic()
    seen = set()
    for _ in range(2):
        victim = int(process.get()[0])
        seen.add(victim)
        os.kill(victim, signal.SIGKILL)
    final = int(process.get()[0])
    assert time.monotonic() - begun < 2.0
    assert final not in seen
    assert [line["message"] for line in process.lines].count("a worker died and is replaced: killed by signal 9") == 2


def test_connections_that_wait_while_a_worker_dies_are_answered_by_the_next(start):
    process = start("-workers", "1").ready()
    victim = int(process.get()[0])
    os.kill(victim, signal.SIGSTOP)
    threads = list(Path(f"/proc/{victim}/task").iterdir())
    process.until(lambda: all(") T " in (thread / "stat").read_text() for thread in threads), "the stop of all threads")
    with contextlib.closing(process.connection()) as waiting:
        waiting.request("GET", "/")
        os.kill(victim, signal.SIGKILL)
        assert int(waiting.getresponse().read().split()[0]) != victim


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_request_in_flight_is_finished_before_the_end(start, number):
    process = start("-workers", "2").ready()
    answers = []
    request = threading.Thread(target=lambda: answers.append(process.get("/slow")))
    request.start()
    process.until((process.data / "slow-begun").exists)
    idle = process.connection()
    idle.request("GET", "/")
    idle.getresponse().read()
    process.signal(number)
    assert process.wait() == 0
    request.join()
    assert len(answers) == 1
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        process.get()


def test_a_second_signal_ends_at_once(start, alive):
    process = start("-workers", "1").ready()
    workers = process.workers()
    hanging = process.connection()
    hanging.request("GET", "/forever")
    process.until((process.data / "forever-begun").exists)
    process.signal(signal.SIGINT)
    process.until_log("stopping; requests in flight are finished")
    time.sleep(0.6)
    process.signal(signal.SIGINT)
    assert process.wait() == 1
    assert not any(map(alive, workers))
    hanging.close()


def test_an_order_that_arrives_twice_at_once_is_one_order(start):
    process = start("-workers", "1").ready()
    slow = process.connection()
    slow.request("GET", "/slow")
    process.until((process.data / "slow-begun").exists)
    process.signal(signal.SIGTERM)
    process.until_log("stopping; requests in flight are finished")
    process.signal(signal.SIGTERM)
    assert slow.getresponse().status == 200
    slow.close()
    assert process.wait() == 0


def test_workers_end_when_the_parent_is_killed(start, alive):
    process = start("-workers", "2").ready()
    workers = process.workers()
    process.signal(signal.SIGKILL)
    process.wait()
    process.until(lambda: not any(map(alive, workers)), "the end of all workers")


def test_workers_ignore_the_interrupt_of_the_terminal(start, stop_gently):
    process = start("-workers", "2").ready()
    workers = process.workers()
    for worker in workers:
        os.kill(worker, signal.SIGINT)
        os.kill(worker, signal.SIGHUP)
    time.sleep(0.3)
    process.get()
    assert process.workers() == workers
    stop_gently(process)


def test_a_reload_serves_all_the_while_and_takes_new_settings(start, tmp_path):
    file = tmp_path / "main.yaml"
    document = "kind: Configuration\nmetadata: {{name: main}}\nspec: {{limits: {{sessions: {}}}}}\n"
    file.write_text(document.format(1))
    process = start("-workers", "2", "-cfgdir", str(tmp_path)).ready()
    before = process.workers()
    assert process.get()[1] == "1"
    file.write_text(document.format(2))
    process.signal(signal.SIGHUP)
    process.until(lambda: process.get() and not process.workers() & before, "the end of the old workers")
    assert process.get()[1] == "2"
    assert len(process.workers()) == 2


def test_a_reload_that_does_not_load_changes_nothing(start, tmp_path):
    file = tmp_path / "main.yaml"
    file.write_text("kind: Configuration\nmetadata: {name: main}\nspec: {}\n")
    process = start("-workers", "1", "-cfgdir", str(tmp_path)).ready()
    before = process.workers()
    file.write_text("kind: Configuration\nmetadata: {name: main}\nspec: {limits: {sessions: none}}\n")
    process.signal(signal.SIGHUP)
    process.until_log("not reloaded, everything stays as it was")
    assert "main.yaml:3" in process.log
    process.get()
    assert process.workers() == before


def test_a_reload_whose_workers_cannot_start_keeps_the_old_ones(start):
    process = start("-workers", "1").ready()
    before = process.workers()
    (process.data / "refuse").touch()
    process.signal(signal.SIGHUP)
    process.until_log("the reload is given up, a new worker cannot start: cannot open the database: the test says no")
    assert int(process.get()[0]) in before


def test_what_needs_a_restart_is_said_and_left(start, tmp_path):
    file = tmp_path / "main.yaml"
    document = "kind: Configuration\nmetadata: {{name: main}}\nspec: {{web: {{addr: '127.0.0.1:{}'}}}}\n"
    file.write_text(document.format(0))
    process = start("-workers", "1", "-cfgdir", str(tmp_path), addr=None).ready()
    before = process.workers()
    file.write_text(document.format(1))
    process.signal(signal.SIGHUP)
    process.until_log("a changed -addr takes effect only after a restart")
    process.until(lambda: process.workers().isdisjoint(before), "new workers")
    process.get()


def test_a_reload_swaps_the_certificate(start, certificate):
    first, chain, key = certificate("first")
    process = start("-workers", "2", "-cert", str(chain), "-key", str(key)).ready()
    assert process.get(authority=first)[3] == "https"
    before = process.workers()
    second, _, _ = certificate("second")
    process.signal(signal.SIGHUP)
    process.until(lambda: process.workers().isdisjoint(before), "the end of the old workers")
    assert process.get(authority=second)[3] == "https"


def test_a_worker_that_cannot_start_ends_the_boot_with_its_message(start):
    process = start("-workers", "2")
    process.data.mkdir()
    (process.data / "refuse").touch()
    assert process.wait() == 1
    assert "simple-registry: worker " in process.log
    assert "cannot start: cannot open the database: the test says no\n" in process.log
    assert "Traceback" not in process.log


def test_a_worker_that_crashes_after_the_boot_never_ends_the_parent(start):
    process = start("-workers", "1").ready()
    (process.data / "crash").touch()
    os.kill(int(process.get()[0]), signal.SIGKILL)
    process.until_log("a worker died and is replaced", 3)
    (process.data / "crash").unlink()
    process.get()
    assert process.popen.poll() is None


def test_hundreds_of_idle_connections_do_not_keep_a_new_one_out(start):
    process = start("-workers", "1").ready()
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            kept = stack.enter_context(socket.create_connection((process.host, process.port)))
            kept.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        begun = time.monotonic()
        process.get()
        assert time.monotonic() - begun < 5.0


def test_a_fork_that_fails_leaves_signals_and_descriptors_as_they_were(monkeypatch):
    def fails():
        raise OSError(errno.EAGAIN, "no room for a process")

    processes = Processes(Layout([]), 1)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        supervisor = Supervisor(
            None, Listeners(((Listener(listener),),), ("",)), build=None, reread=None, processes=processes
        )
        monkeypatch.setattr(os, "fork", fails)
        before = set(Path("/proc/self/fd").iterdir())
        for _ in range(20):
            with pytest.raises(OSError, match="no room"):
                supervisor._fork(_Slot(0))
        assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()
        assert len(set(Path("/proc/self/fd").iterdir())) == len(before)
        assert processes.begin() == 1


class Reported:
    """A worker's last report, as the supervisor keeps it."""

    def __init__(self, heard, ready=True):
        self.heard, self.ready, self.deadline, self.pid, self.slot = heard, ready, None, 0, _Slot(0)


@pytest.fixture
def watch(monkeypatch):
    """Return a function that has a supervisor look at workers at some moment, and returns those it ended."""
    signals = []
    monkeypatch.setattr("simple_registry.server.supervisor.os.kill", lambda pid, number: signals.append(number))
    supervisor = object.__new__(Supervisor)
    supervisor._hang_ended = -HANG_PAUSE
    supervisor._slots = []

    def look(workers, now):
        supervisor._slots = [_Slot(number, current=worker) for number, worker in enumerate(workers)]
        signals.clear()
        supervisor._end_hung(now)
        assert len(signals) == sum(worker.deadline is not None for worker in workers)
        ended = [worker for worker in workers if worker.deadline is not None]
        for worker in ended:
            worker.deadline = None
        return ended

    return look


def test_a_worker_without_a_beat_is_ended(watch):
    hung, well = Reported(100.0), Reported(125.0)
    assert watch([hung, well], 129.0) == []
    assert watch([hung, well], 130.0) == [hung]


def test_one_worker_in_five_minutes_is_ended(watch):
    assert len(watch([Reported(100.0), Reported(100.0), Reported(130.0)], 131.0)) == 1
    assert watch([Reported(200.0), Reported(430.0)], 430.0) == []
    assert len(watch([Reported(200.0), Reported(431.0)], 431.0)) == 1


def test_when_all_workers_hang_none_is_ended(watch, caplog):
    assert watch([Reported(100.0), Reported(100.0)], 131.0) == []
    assert "the event loop of 2 of 2 workers hangs; none is replaced" in caplog.text
    assert watch([Reported(100.0)], 131.0) == []


def test_a_worker_that_is_not_ready_is_not_watched(watch):
    assert watch([Reported(0.0, ready=False), Reported(100.0), Reported(130.0)], 131.0) != []
    assert watch([Reported(0.0, ready=False), Reported(500.0)], 501.0) == []


def test_a_hung_worker_writes_its_stacks_and_is_replaced(start, monkeypatch):
    process = start("-workers", "2", environment={"TEST_HANG": "1.5", "TEST_BEAT": "0.2"}).ready()
    before = process.workers()
    with contextlib.closing(process.connection()) as connection:
        connection.request("GET", "/hang")
        process.until_log("the event loop of a worker hangs")
        process.until(lambda: len(process.workers() - before) == 1 and len(process.workers()) == 2)
    assert "entry.py" in process.log  # the stack of the thread that hangs
    assert process.get()[3] == "http"
