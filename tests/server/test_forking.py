import errno
import os
import signal
import time
from pathlib import Path

import pytest

from simple_registry.server.forking import SIGNALS, fork_worker


def descriptors():
    return set(Path("/proc/self/fd").iterdir())


def ended(pid):
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def read_all(pipe):
    with open(pipe, "rb") as file:
        return file.read()


def test_a_child_reports_and_exits_with_the_code_of_its_work():
    def run(report):
        os.write(report, b"hello")
        return 7

    pid, pipe = fork_worker(0, run)
    assert read_all(pipe) == b"hello"
    assert ended(pid) == 7


def test_a_child_that_fails_exits():
    def run(_report):
        raise SystemExit("the test says so")

    pid, pipe = fork_worker(3, run)
    assert ended(pid) == 1
    os.close(pipe)


def test_a_child_ends_by_sigterm_and_ignores_the_signals_of_the_terminal():
    def run(report):
        os.write(report, b"here")
        time.sleep(60)
        return 0

    pid, pipe = fork_worker(0, run)
    assert os.read(pipe, 4) == b"here"
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        os.kill(pid, number)
    assert ended(pid) == -signal.SIGTERM
    os.close(pipe)


def test_a_fork_that_fails_leaves_signals_and_descriptors_as_they_were(monkeypatch):
    def fails():
        raise OSError(errno.EAGAIN, "no room for a process")

    monkeypatch.setattr(os, "fork", fails)
    before = descriptors()
    for _ in range(20):
        with pytest.raises(OSError, match="no room"):
            fork_worker(0, lambda _report: 0)
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & set(SIGNALS)
    assert len(descriptors()) == len(before)
