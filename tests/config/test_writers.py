import fcntl
import struct
from pathlib import Path

import pytest

from simple_registry.config.writers import LOOKS_AFTER_LOSS, Writers


def names(writers, directory):
    return {Path(path).name for path in writers.look([str(directory)])}


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


def test_reading_and_touching_is_no_writing(writers, tmp_path):
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


def test_where_the_system_tells_nothing_nothing_is_being_written(tmp_path, monkeypatch):
    monkeypatch.setattr("simple_registry.config.writers._libc", object)
    writers = Writers()
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert writers.look([str(tmp_path)]) == frozenset()


def test_a_queue_goes_with_what_it_was_for(tmp_path):
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(300):
        Writers().look([str(tmp_path)])
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_another_program_that_closes_a_file_does_not_end_what_is_being_written(writers, tmp_path):
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        (tmp_path / "a.yaml").open("ab").close()
        assert [writers() for _ in range(3)] == [{"a.yaml"}] * 3
    assert writers() == set()


def test_where_the_system_does_not_say_who_has_it_open_any_end_counts(writers, tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", denied)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert writers() == {"a.yaml"}
        (tmp_path / "a.yaml").open("ab").close()
        assert writers() == set()


def denied(*_):
    raise PermissionError


LOST = struct.pack("iIII", -1, 0x4000, 0, 0)


def test_lost_events_end_nothing_that_is_open(tmp_path):
    followed = Writers()
    names(followed, tmp_path)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert names(followed, tmp_path) == {"a.yaml"}
        followed._take(LOST)
        assert [names(followed, tmp_path) for _ in range(LOOKS_AFTER_LOSS)] == [{"a.yaml"}] * LOOKS_AFTER_LOSS
    assert names(followed, tmp_path) == set()


def test_where_the_system_does_not_say_lost_events_end_it_after_a_while(tmp_path, monkeypatch):
    monkeypatch.setattr(fcntl, "fcntl", denied)
    followed = Writers()
    names(followed, tmp_path)
    with (tmp_path / "a.yaml").open("wb", buffering=0) as file:
        file.write(b"x")
        assert names(followed, tmp_path) == {"a.yaml"}
        followed._take(LOST)
        looks = [names(followed, tmp_path) for _ in range(LOOKS_AFTER_LOSS)]
    assert looks == [{"a.yaml"}] * (LOOKS_AFTER_LOSS - 1) + [set()]
