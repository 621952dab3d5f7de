"""A hash state counts only for the file it was made from."""

import hashlib
import os

from simple_registry.storage.filesystem.hash_states import HashState, HashStates

STATE = HashState(4, hashlib.sha256(b"data"))


def file_of(tmp_path, data=b"data"):
    path = tmp_path / "file"
    path.write_bytes(data)
    return path.stat()


def test_a_state_is_found_for_the_same_file(tmp_path):
    states = HashStates()
    states.keep("s", "sha256", file_of(tmp_path), STATE)
    assert states.find("s", "sha256", (tmp_path / "file").stat()) is STATE


def test_a_state_is_not_found_for_another_algorithm_session_or_file(tmp_path):
    states = HashStates()
    file = file_of(tmp_path)
    states.keep("s", "sha256", file, STATE)
    assert states.find("s", "sha512", file) is None
    assert states.find("t", "sha256", file) is None
    os.utime(tmp_path / "file", ns=(0, file.st_mtime_ns + 1))
    assert states.find("s", "sha256", (tmp_path / "file").stat()) is None
    assert states.find("s", "sha256", file_of(tmp_path, b"data and more")) is None


def test_a_dropped_state_is_gone(tmp_path):
    states = HashStates()
    states.keep("s", "sha256", file_of(tmp_path), STATE)
    states.drop("s")
    states.drop("s")
    assert states.find("s", "sha256", file_of(tmp_path)) is None


def test_the_longest_unused_state_makes_room(tmp_path):
    states = HashStates(capacity=2)
    file = file_of(tmp_path)
    for session in ("a", "b", "a", "c"):
        states.keep(session, "sha256", file, STATE)
    assert [states.find(session, "sha256", file) for session in "abc"] == [STATE, None, STATE]
