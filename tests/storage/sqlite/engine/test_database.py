"""Reads on the caller's thread, writes on the writing thread, and neither after close."""

import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.database import Database
from storage.support import run


@pytest.fixture
def database(path):
    database = Database(path)
    yield database
    run(database.close())


def test_written_rows_can_be_read(database):
    run(database.write(lambda connection: connection.execute("INSERT INTO repositories VALUES ('a'), ('b')") and None))
    assert database.rows("SELECT name FROM repositories WHERE name > ?", "") == [("a",), ("b",)]
    assert database.row("SELECT name FROM repositories WHERE name = ?", "b") == ("b",)
    assert database.row("SELECT name FROM repositories WHERE name = ?", "c") is None


def test_a_statement_returns_the_number_of_rows_that_it_changed(database):
    assert run(database.execute("INSERT INTO repositories VALUES (?), (?)", "a", "b")) == 2
    assert run(database.execute("DELETE FROM repositories WHERE name = ?", "c")) == 0
    assert database.rows("SELECT name FROM repositories") == [("a",), ("b",)]


def test_a_read_that_fails_is_a_fault(database):
    with pytest.raises(StorageFault, match="cannot read rows: "):
        database.rows("SELECT * FROM none")


def test_a_closed_database_refuses(path):
    database = Database(path)
    run(database.close())
    run(database.close())
    with pytest.raises(StorageFault, match="the store is closed"):
        database.rows("SELECT 1")
    with pytest.raises(StorageFault, match="the store is closed"):
        run(database.write(lambda _connection: None))


def test_a_missing_database_is_a_fault(tmp_path):
    with pytest.raises(StorageFault):
        Database(str(tmp_path / "none.db"))


def test_a_result_is_cached_until_any_process_commits(path, database):
    asked = []
    other = Database(path)
    try:
        for _ in range(3):
            assert database.cached("question", lambda: asked.append(1) or len(asked)) == 1
        run(other.write(lambda connection: connection.execute("INSERT INTO repositories VALUES ('x')") and None))
        assert database.cached("question", lambda: asked.append(1) or len(asked)) == 2
        run(database.write(lambda connection: connection.execute("INSERT INTO repositories VALUES ('y')") and None))
        assert database.cached("question", lambda: asked.append(1) or len(asked)) == 3
    finally:
        run(other.close())


def test_the_cache_is_bounded(database, monkeypatch):
    monkeypatch.setattr("simple_registry.storage.sqlite.engine.database.MAX_CACHED", 10)
    asked = []
    for question in (*range(100), 0):
        database.cached(question, lambda: asked.append(None))
    assert len(asked) == 101
