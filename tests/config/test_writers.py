"""Documents that are being written: what a process sees, and what the parent decides for its workers."""

import ctypes
import fcntl
import os
import struct
from pathlib import Path

import pytest

from simple_registry.config.writers import POLLS_AFTER_LOSS, UNKNOWN, Unfinished, Writers


def names(writers, directory):
    return {Path(path).name for path in writers.poll([str(directory)])}


@pytest.fixture
def writers(tmp_path):
    """Writers to a directory, watched from now on."""
    followed = Writers()
    assert names(followed, tmp_path) == set()
    return lambda: names(followed, tmp_path)


def test_a_file_is_being_written_from_its_first_byte_until_it_is_closed(writers, tmp_path):
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert writers() == {"a.yaml"}
        assert writers() == {"a.yaml"}
    assert writers() == set()


def test_reading_and_touching_do_not_count_as_writing(writers, tmp_path):
    (tmp_path / "a.yaml").write_text("x")
    with (tmp_path / "a.yaml").open() as file:
        file.read()
        assert writers() == set()


@pytest.mark.parametrize("act", ["rename", "replace", "unlink"])
def test_another_file_of_its_name_is_not_being_written(writers, tmp_path, act):
    file, other = tmp_path / "a.yaml", tmp_path / "b"
    other.write_text("whole")
    with file.open("wb", buffering=0) as opened:
        opened.write(b"x")
        assert writers() == {"a.yaml"}
        {"rename": lambda: file.rename(tmp_path / "c"), "replace": lambda: other.replace(file), "unlink": file.unlink}[
            act
        ]()
        assert writers() == set()


def test_without_reports_of_the_system_nothing_is_being_written(tmp_path, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    writers = Writers()
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert writers.poll([str(tmp_path)]) == frozenset()


def test_an_inotify_queue_is_closed_with_its_owner(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(300):
        Writers().poll([str(tmp_path)])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_another_program_that_closes_a_file_does_not_end_what_is_being_written(writers, tmp_path):
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        (tmp_path / "a.yaml").open("ab").close()
        assert [writers() for _ in range(3)] == [{"a.yaml"}] * 3
    assert writers() == set()


def test_where_the_system_does_not_report_open_files_any_end_counts(writers, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", denied)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert writers() == {"a.yaml"}
        (tmp_path / "a.yaml").open("ab").close()
        assert writers() == set()


def denied(*_):
    raise PermissionError


def lose_events(monkeypatch):
    """Let the next read report that the queue overflowed."""
    read, lost = os.read, [struct.pack("iIII", -1, 0x4000, 0, 0)]
    monkeypatch.setattr(os, "read", lambda fd, size: lost.pop() if lost else read(fd, size))


def test_lost_events_end_nothing_that_is_open(tmp_path, monkeypatch):
    followed = Writers()
    names(followed, tmp_path)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert names(followed, tmp_path) == {"a.yaml"}
        lose_events(monkeypatch)
        assert [names(followed, tmp_path) for _ in range(POLLS_AFTER_LOSS)] == [{"a.yaml"}] * POLLS_AFTER_LOSS
    assert names(followed, tmp_path) == set()


def test_without_leases_a_lost_event_expires(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", denied)
    followed = Writers()
    names(followed, tmp_path)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert names(followed, tmp_path) == {"a.yaml"}
        lose_events(monkeypatch)
        polls = [names(followed, tmp_path) for _ in range(POLLS_AFTER_LOSS)]
    assert polls == [{"a.yaml"}] * (POLLS_AFTER_LOSS - 1) + [set()]


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


def test_a_worker_that_begins_late_knows_of_a_writer_for_as_long_as_it_writes(unfinished, in_worker, tmp_path):
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x\n")
        for _ in range(100):
            assert unfinished() == f"{tmp_path}/{REASON}"
        assert in_worker() == repr(f"{tmp_path}/{REASON}")
    assert unfinished() is None
    assert in_worker() == "None"


def test_files_that_the_parent_has_not_polled_are_not_known_to_be_finished(unfinished, in_worker, tmp_path):
    (tmp_path / "a.yaml").write_text("x\n")
    assert in_worker() == repr(UNKNOWN)
    assert unfinished() is None
    assert in_worker() == "None"


def test_a_path_that_is_not_unicode_is_named_too(tmp_path):
    directory = tmp_path / os.fsdecode(b"\xff")
    directory.mkdir()
    unfinished = Unfinished((tmp_path,))
    unfinished()
    with (directory / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert unfinished() == f"{directory}/{REASON}"
