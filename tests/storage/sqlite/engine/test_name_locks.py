"""Locks by name: one holder in all processes, and none that outlives its process."""

import os
import subprocess
import sys

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.name_locks import name_lock

PROGRAM = """
import sys
from simple_registry.storage.sqlite.engine.name_locks import name_lock

with name_lock(sys.argv[1], "s") as ours:
    print(ours, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "locks")


def test_a_name_has_one_holder_and_other_names_are_free(path):
    with name_lock(path, "s") as ours, name_lock(path, "t") as theirs, name_lock(path, "s") as again:
        assert (ours, theirs, again) == (True, True, False)
    with name_lock(path, "s") as ours:
        assert ours
    assert os.stat(path).st_size == 0


def test_a_lock_ends_with_its_process(path):
    command = [sys.executable, "-c", PROGRAM, path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"True\n"
        with name_lock(path, "s") as ours:
            assert not ours
        other.kill()
    with name_lock(path, "s") as ours:
        assert ours


@pytest.mark.parametrize("taken", [True, False])
def test_no_descriptor_stays_open(path, taken):
    before = len(os.listdir("/proc/self/fd"))
    with name_lock(path, "s"), name_lock(path, "s" if taken else "t"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_file_that_cannot_be_created_is_a_fault(tmp_path):
    with pytest.raises(StorageFault, match="cannot open a lock file"), name_lock(f"{tmp_path}/none/locks", "s"):
        pass


def test_a_lock_that_cannot_be_taken_is_a_fault(path, monkeypatch):
    def fail(*_arguments):
        raise OSError(37, "No locks available")

    monkeypatch.setattr("fcntl.fcntl", fail)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(StorageFault, match="cannot lock a file"), name_lock(path, "s"):
        pass
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_shared_lock_has_many_holders_and_no_other_kind(path):
    with name_lock(path, "s", shared=True) as one, name_lock(path, "s", shared=True) as two, name_lock(path, "s") as no:
        assert (one, two, no) == (True, True, False)
    with name_lock(path, "s") as ours, name_lock(path, "s", shared=True) as shared:
        assert (ours, shared) == (True, False)
