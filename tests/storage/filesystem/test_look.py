"""A look tells a file from what took its place, and whatever was done to it."""

import os
from pathlib import Path

import pytest

from simple_registry.storage.filesystem.look import look_of, same_file


def look(path):
    return look_of(os.lstat(path))


def test_modes_and_kinds_are_seen(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    path.chmod(0o444)
    assert (look(path).regular, look(path).readable, look(path).read_only, look(path).size) == (True, True, True, 3)
    path.chmod(0o644)
    assert not look(path).read_only
    path.chmod(0o200)
    assert not look(path).readable
    assert not look(tmp_path).regular


@pytest.mark.parametrize("change", [lambda path: path.write_bytes(b"xyz"), lambda path: path.chmod(0o600)])
def test_a_change_shows(tmp_path, change):
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    os.utime(path, (1, 1))
    before = look(path)
    change(path)
    assert look(path) != before
    assert same_file(os.lstat(path), before)


def test_a_file_is_the_same_under_another_name(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    path.write_bytes(b"abc")
    other.write_bytes(b"abc")
    seen = look(path)
    path.rename(tmp_path / "new")
    assert same_file(os.lstat(tmp_path / "new"), seen)
    assert not same_file(os.lstat(other), seen)
    assert Path(other).exists()
