"""Copies of a database that others write to: complete, of one state, or absent."""

import os
from pathlib import Path

import apsw
import pytest

from simple_registry.faults import StorageFault, StorageFull
from simple_registry.storage.sqlite.engine import copies
from simple_registry.storage.sqlite.engine.connections import open_connection
from simple_registry.storage.sqlite.engine.copies import copy_database

COUNT = "SELECT count(*) FROM repositories"


def count(path):
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute(COUNT).fetchall()[0][0]
    finally:
        connection.close()


@pytest.fixture
def source(path):
    connection = open_connection(path)
    with connection:
        names = [(f"name-{number:0200}",) for number in range(500)]
        connection.executemany("INSERT INTO repositories VALUES (?)", names)
    yield connection
    connection.close()


@pytest.fixture
def target(tmp_path):
    return tmp_path / "copy.db"


def test_a_copy_has_the_rows_of_the_log_too_and_is_readable_by_its_owner_only(source, target):
    copy_database(source, str(target))
    assert count(target) == 500
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_copy_has_one_state_and_writers_do_not_wait(source, path, target, monkeypatch):
    monkeypatch.setattr(copies, "PAGES", 5)
    writer = open_connection(path)
    writer.set_busy_timeout(0)
    written = []

    def write(_seconds):
        writer.execute("INSERT INTO repositories VALUES (?)", (f"meanwhile-{len(written)}",))
        written.append(count(path))

    monkeypatch.setattr(copies.time, "sleep", write)
    reader = open_connection(path, query_only=True)
    copy_database(reader, str(target))
    reader.close()
    writer.close()
    assert count(target) == 500
    assert len(written) > 5
    assert written[-1] == 500 + len(written)


def test_a_copy_that_a_crash_left_unfinished_is_replaced(source, target):
    Path(f"{target}.new").write_bytes(b"half")
    target.write_bytes(b"an older one")
    copy_database(source, str(target))
    assert count(target) == 500
    assert not Path(f"{target}.new").exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_copy_that_fails_leaves_what_was_there(source, target, monkeypatch, error):
    def fail(_fd):
        raise error

    monkeypatch.setattr(copies.os, "fdatasync", fail)
    target.write_bytes(b"an older one")
    with pytest.raises(StorageFull if isinstance(error, OSError) else KeyboardInterrupt):
        copy_database(source, str(target))
    assert os.listdir(target.parent).count("copy.db") == 1
    assert target.read_bytes() == b"an older one"
    assert not Path(f"{target}.new").exists()
    source.execute("INSERT INTO repositories VALUES ('after')")


def test_a_full_disk_is_named(source, target, monkeypatch):
    class Full:
        done = False

        def step(self, _pages):
            raise apsw.FullError("not an error")

    with pytest.raises(OSError, match="No space left on device"):
        copies._step(Full(), source)


def test_a_broken_database_is_a_fault(path, target):
    Path(path).write_bytes(b"no database" * 1000)
    connection = apsw.Connection(path)
    with pytest.raises(StorageFault):
        copy_database(connection, str(target))
    connection.close()
    assert not target.exists()
