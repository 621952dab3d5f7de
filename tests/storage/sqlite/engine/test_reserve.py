"""Space for the log: reserved before it is needed, kept after the last connection, and bounded."""

import os
from pathlib import Path

import pytest

from simple_registry.storage.sqlite.engine import reserve as module
from simple_registry.storage.sqlite.engine.commits import Change, Commits
from simple_registry.storage.sqlite.engine.migrate import migrate
from simple_registry.storage.sqlite.engine.reserve import CHUNK, LOG_RESERVE, reserve_log


@pytest.fixture
def path(tmp_path):
    """A database, prepared as the server does it."""
    path = str(tmp_path / "registry.db")
    migrate(path, log_reserve=LOG_RESERVE)
    if not reserve_log(path, LOG_RESERVE):
        pytest.skip("this file system cannot reserve room")
    return path


def log(path):
    """Return the size of the log, and the room that it takes."""
    found = Path(f"{path}-wal").stat()
    return found.st_size, found.st_blocks * 512


def add(name):
    return Change(lambda connection: connection.execute("INSERT INTO repositories VALUES (?)", (name,)))


def test_a_new_database_has_an_empty_log_with_its_reserve(path):
    size, room = log(path)
    assert size == 0
    assert room >= LOG_RESERVE


def test_commits_use_the_reserve_and_no_more(path):
    commits = Commits(path, LOG_RESERVE)
    _, before = log(path)
    for number in range(50):
        assert commits.commit([add(str(number))])[0].error is None
    size, after = log(path)
    assert size > 0
    assert after == before
    commits.close()


def test_the_last_connection_leaves_an_empty_log_with_its_reserve(path):
    commits = Commits(path, LOG_RESERVE)
    commits.commit([add("a")])
    commits.close()
    size, room = log(path)
    assert size == 0
    assert room >= LOG_RESERVE


def test_on_a_full_disk_the_log_keeps_its_rows_and_its_reserve(path, monkeypatch):
    commits = Commits(path, LOG_RESERVE)
    commits.commit([add("a")])
    full = os.statvfs_result([0] * 10)
    monkeypatch.setattr(module.os, "statvfs", lambda _path: full)
    _, before = log(path)
    commits.close()
    size, after = log(path)
    assert size > 0
    assert after == before


def test_the_database_has_room_for_rows(path):
    commits = Commits(path, LOG_RESERVE)
    commits.commit([add("a")])
    commits.close()
    found = Path(path).stat()
    assert found.st_size == CHUNK
    assert found.st_blocks * 512 >= CHUNK


def test_space_missing_at_the_start_is_reserved_later(path, monkeypatch):
    os.truncate(f"{path}-wal", 0)
    commits = Commits(path, LOG_RESERVE)
    commits.commit([add("a")])
    assert log(path)[1] >= LOG_RESERVE
    commits.close()


def test_without_a_reserve_no_log_is_left(tmp_path):
    path = str(tmp_path / "registry.db")
    migrate(path)
    commits = Commits(path)
    commits.commit([add("a")])
    commits.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["registry.db", "registry.db.lock"]
    assert not reserve_log(path, LOG_RESERVE)


def test_a_system_that_cannot_reserve_works_without(path, monkeypatch):
    monkeypatch.setattr(module, "_libc", object())
    assert not reserve_log(path, LOG_RESERVE)
