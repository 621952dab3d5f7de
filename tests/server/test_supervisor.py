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
from simple_registry.server.forking import SIGNALS
from simple_registry.server.listeners import Listener, Listeners
from simple_registry.server.service_manager import ServiceManager
from simple_registry.server.slots import SERVED_TIME
from simple_registry.server.supervisor import StartFault, Supervisor


def test_a_worker_killed_repeatedly_while_it_serves_is_replaced_at_once(start):
    process = start("-workers", "1").ready()
    for _ in range(6):
        time.sleep(SERVED_TIME)
        os.kill(int(process.get()[0]), signal.SIGKILL)
    started = time.monotonic()
    process.get()
    assert time.monotonic() - started < 1.6  # otherwise it would take 0.1 * 2**4 s and the time of a start


def test_all_workers_serve_and_stop_gently(start, stop_gently):
    process = start("-workers", "3").ready()
    workers = process.workers()
    assert len(workers) == 3
    process.until(lambda: {int(process.get()[0]) for _ in range(10)} == workers, "an answer of every worker")
    stop_gently(process)
    assert {int(path.name.partition("-")[2]) for path in process.data.glob("stopped-*")} == workers


def test_a_worker_killed_twice_within_two_seconds_is_replaced_each_time(start):
    process = start("-workers", "1").ready()
    started = time.monotonic()
    seen = set()
    for _ in range(2):
        victim = int(process.get()[0])
        seen.add(victim)
        os.kill(victim, signal.SIGKILL)
    final = int(process.get()[0])
    assert time.monotonic() - started < 2.0
    assert final not in seen
    assert [line["message"] for line in process.lines].count("a worker died and is replaced: killed by signal 9") == 2


def test_queued_connections_of_a_dead_worker_are_answered_by_its_replacement(start):
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
    process.until((process.data / "slow-started").exists)
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
    process.until((process.data / "forever-started").exists)
    process.signal(signal.SIGINT)
    process.until_log("stopping; finishing requests in flight")
    time.sleep(0.6)
    process.signal(signal.SIGINT)
    assert process.wait() == 1
    assert not any(map(alive, workers))
    hanging.close()


def test_a_signal_that_arrives_twice_at_once_is_one_signal(start):
    process = start("-workers", "1").ready()
    slow = process.connection()
    slow.request("GET", "/slow")
    process.until((process.data / "slow-started").exists)
    process.signal(signal.SIGTERM)
    process.until_log("stopping; finishing requests in flight")
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


def test_a_reload_applies_new_settings_without_interruption(start, tmp_path):
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
    process.until_log("not reloaded, nothing was changed")
    assert "main.yaml:3" in process.log
    process.get()
    assert process.workers() == before


def test_a_reload_whose_workers_cannot_start_keeps_the_old_ones(start):
    process = start("-workers", "1").ready()
    before = process.workers()
    (process.data / "refuse").touch()
    process.signal(signal.SIGHUP)
    process.until_log("reload abandoned: a new worker cannot start: cannot open the database: the test says no")
    assert int(process.get()[0]) in before


def test_a_reload_only_warns_about_settings_that_need_a_restart(start, tmp_path):
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


def test_a_worker_that_cannot_start_ends_the_start_with_its_message(start):
    process = start("-workers", "2")
    process.data.mkdir()
    (process.data / "refuse").touch()
    assert process.wait() == 1
    assert "simple-registry: worker " in process.log
    assert "cannot start: cannot open the database: the test says no\n" in process.log
    assert "Traceback" not in process.log


def test_a_worker_that_crashes_later_does_not_end_the_parent(start):
    process = start("-workers", "1").ready()
    (process.data / "crash").touch()
    os.kill(int(process.get()[0]), signal.SIGKILL)
    process.until_log("a worker died and is replaced", 3)
    (process.data / "crash").unlink()
    process.get()
    assert process.popen.poll() is None


def test_an_unserved_slot_leaves_its_connections_to_the_others(start):
    process = start("-workers", "2", environment={"TEST_UNSERVED": "0.5"}).ready()
    (process.data / "crash").touch()
    victim = int(process.get()[0])
    (other,) = process.workers() - {victim}
    os.kill(victim, signal.SIGKILL)
    process.until_log("no worker serves this slot; the others get its connections")
    assert {int(process.get()[0]) for _ in range(30)} == {other}
    (process.data / "crash").unlink()
    process.until(lambda: len({process.get()[0] for _ in range(10)}) == 2, "both workers")


def test_the_last_worker_keeps_its_connections_waiting(start):
    process = start("-workers", "1", environment={"TEST_UNSERVED": "0.2"}).ready()
    (process.data / "crash").touch()
    os.kill(int(process.get()[0]), signal.SIGKILL)
    process.until_log("a worker died and is replaced", 4)
    with contextlib.closing(process.connection()) as waiting:
        waiting.request("GET", "/")
        (process.data / "crash").unlink()
        assert waiting.getresponse().status == 200
    assert "no worker serves this slot" not in process.log


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="the system has no device that is always full")
def test_a_log_that_cannot_be_written_stops_neither_a_replacement_nor_a_reload(start):
    buffered = {"PYTHONUNBUFFERED": ""}
    process = start("-workers", "1", addr=f"127.0.0.1:{free_port()}", log=FULL, environment=buffered)
    victim = process.answers()
    os.kill(victim, signal.SIGKILL)
    replaced = process.answers(lambda pid: pid != victim)
    process.signal(signal.SIGHUP)
    process.answers(lambda pid: pid not in (victim, replaced))
    process.signal(signal.SIGTERM)
    assert process.wait() == 0


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def test_the_last_log_line_has_the_time_that_stopping_took(start):
    process = start("-workers", "2").ready()
    process.signal(signal.SIGTERM)
    assert process.wait() == 0
    last = process.lines[-1]
    assert last["message"] == "stopped"
    assert 0 <= last["seconds"] < 30


def test_the_next_worker_starts_with_changed_documents(start, tmp_path):
    file = tmp_path / "main.yaml"
    user = "kind: User\nmetadata: {{name: {}}}\n"
    file.write_text(user.format("bob"))
    audit = tmp_path / "audit"
    process = start("-workers", "1", "-cfgdir", str(tmp_path), "-audit-log", str(audit)).ready()
    assert process.get("/users")[0] == "admin,bob"
    file.write_text(user.format("alice"))
    process.until(lambda: audit.read_text().count("rules.change") == 2, "the parent's look")
    file.write_text("kind: Usr")
    os.kill(int(process.get()[0]), signal.SIGKILL)
    assert process.get("/users")[0] == "admin,alice"


def test_the_next_worker_starts_with_the_replaced_certificate(start, certificate):
    _, chain, key = certificate("first")
    process = start("-workers", "1", "-cert", str(chain), "-key", str(key)).ready()
    second, _, _ = certificate("second")
    process.until_log("the certificate was replaced")
    key.write_text("half a ke")
    victim = int(process.get(authority=second)[0])
    os.kill(victim, signal.SIGKILL)
    assert int(process.get(authority=second)[0]) != victim


def test_the_service_manager_gets_reports_of_start_reloads_and_stop(start, tmp_path):
    file = tmp_path / "main.yaml"
    file.write_text("kind: User\nmetadata: {name: bob}\n")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(15)

        def heard():
            return dict(line.split("=", 1) for line in manager.recv(4096).decode().splitlines())

        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "TEST_UPGRADE": "1"}
        process = start("-workers", "2", "-cfgdir", str(tmp_path), environment=environment)
        assert heard() == {"EXTEND_TIMEOUT_USEC": "3600000000", "STATUS": "upgrading the database"}
        ready = heard()
        assert ready["READY"] == "1"
        assert ready["STATUS"].startswith("listening on http://127.0.0.1:")
        process.ready()
        before = process.workers()

        asked = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        process.signal(signal.SIGHUP)
        reloading = heard()
        assert reloading.keys() == {"RELOADING", "MONOTONIC_USEC"}
        assert asked <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        assert heard() == {"READY": "1", "STATUS": "reloaded"}
        assert len(process.workers() - before) == 2

        file.write_text("kind: Usr\nmetadata: {name: bob}\n")
        process.signal(signal.SIGHUP)
        assert "RELOADING" in heard()
        assert heard()["STATUS"].startswith(f"not reloaded: {file}:1: 'Usr' is not a known kind")

        file.write_text("kind: User\nmetadata: {name: bob}\n")
        (process.data / "refuse").touch()
        process.signal(signal.SIGHUP)
        assert "RELOADING" in heard()
        assert heard()["STATUS"].startswith("reload abandoned: a new worker cannot start: ")

        process.signal(signal.SIGTERM)
        assert heard()["STOPPING"] == "1"
        assert process.wait() == 0


def test_a_new_connection_is_served_beside_hundreds_of_idle_ones(start):
    process = start("-workers", "1").ready()
    with contextlib.ExitStack() as stack:
        for _ in range(600):
            kept = stack.enter_context(socket.create_connection((process.host, process.port)))
            kept.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        started = time.monotonic()
        process.get()
        assert time.monotonic() - started < 5.0


def test_a_start_without_room_for_a_process_is_refused(monkeypatch):
    def fails():
        raise OSError(errno.EAGAIN, "no room for a process")

    monkeypatch.setattr(os, "fork", fails)
    processes = Processes(Layout([]), 1)
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            supervisor = Supervisor(
                None,
                Listeners(((Listener(listener),),), ("",)),
                build=None,
                reread=None,
                follow=None,
                processes=processes,
                manager=ServiceManager({}),
                report=None,
            )
            with pytest.raises(StartFault, match="cannot start 1 workers: no room for a process; try fewer"):
                supervisor.run()
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert processes.begin() == 1


def test_a_hung_worker_writes_its_stacks_and_is_replaced(start, monkeypatch):
    process = start("-workers", "2", environment={"TEST_HANG": "1.5", "TEST_BEAT": "0.2"}).ready()
    before = process.workers()
    with contextlib.closing(process.connection()) as connection:
        connection.request("GET", "/hang")
        process.until_log("the event loop of a worker hangs")
        process.until(lambda: len(process.workers() - before) == 1 and len(process.workers()) == 2)
    assert "entry.py" in process.log  # the stack of the hung thread
    assert process.get()[3] == "http"
