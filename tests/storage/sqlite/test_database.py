"""Reads at once, writes through the thread, and nothing after closing."""

import pytest

from simple_registry.clock import SystemClock
from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.database import Database
from storage.support import run


@pytest.fixture
def database(path):
    database = Database(path, SystemClock())
    yield database
    run(database.close())


def test_what_was_written_can_be_read(database):
    run(database.write(lambda connection: connection.execute("INSERT INTO repositories VALUES ('a'), ('b')") and None))
    assert database.rows("SELECT name FROM repositories WHERE name > ?", "") == [("a",), ("b",)]
    assert database.row("SELECT name FROM repositories WHERE name = ?", "b") == ("b",)
    assert database.row("SELECT name FROM repositories WHERE name = ?", "c") is None


def test_a_read_that_fails_is_a_fault(database):
    with pytest.raises(StorageFault, match="cannot read rows: "):
        database.rows("SELECT * FROM none")


def test_a_closed_database_refuses(path):
    database = Database(path, SystemClock())
    run(database.close())
    run(database.close())
    with pytest.raises(StorageFault, match="the store is closed"):
        database.rows("SELECT 1")
    with pytest.raises(StorageFault, match="the store is closed"):
        run(database.write(lambda _connection: None))


def test_a_missing_database_is_a_fault(tmp_path):
    with pytest.raises(StorageFault):
        Database(str(tmp_path / "none.db"), SystemClock())
