"""The parent decides what is finished; a forked process believes nothing else."""

import os

import pytest

from simple_registry.config.unfinished import UNKNOWN, Unfinished

REASON = "a.yaml: a program writes to it, and has not closed it yet"


@pytest.fixture
def unfinished(tmp_path):
    made = Unfinished((tmp_path,))
    assert made() is None
    return made


@pytest.fixture
def in_worker(unfinished):
    """Ask in a forked process."""

    def ask():
        heard, said = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.write(said, repr(unfinished()).encode())
            os._exit(0)
        os.close(said)
        os.waitpid(pid, 0)
        with os.fdopen(heard) as file:
            return file.read()

    return ask


def test_a_worker_that_begins_late_is_told_of_a_writer_for_as_long_as_it_writes(unfinished, in_worker, tmp_path):
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x\n")
        for _ in range(100):
            assert unfinished() == f"{tmp_path}/{REASON}"
        assert in_worker() == repr(f"{tmp_path}/{REASON}")
    assert unfinished() is None
    assert in_worker() == "None"


def test_what_the_parent_has_not_looked_at_is_not_known_to_be_finished(unfinished, in_worker, tmp_path):
    (tmp_path / "a.yaml").write_text("x\n")
    assert in_worker() == repr(UNKNOWN)
    assert unfinished() is None
    assert in_worker() == "None"


def test_a_path_that_is_no_text_is_named_too(tmp_path):
    directory = tmp_path / os.fsdecode(b"\xff")
    directory.mkdir()
    unfinished = Unfinished((tmp_path,))
    unfinished()
    with (directory / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert unfinished() == f"{directory}/{REASON}"
