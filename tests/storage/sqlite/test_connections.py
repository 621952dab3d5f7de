"""The settings that durability rests on, and what failures are called."""

import errno
from types import SimpleNamespace

import apsw
import pytest

from simple_registry.faults import StorageFault, StorageFull
from simple_registry.storage.sqlite.connections import fault, open_connection


@pytest.mark.parametrize("query_only", [False, True])
def test_connections_are_durable_and_strict(path, query_only):
    connection = open_connection(path, query_only=query_only)

    def pragma(name):
        return connection.execute(f"PRAGMA {name}").fetchall()[0][0]

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("foreign_keys") == 1
    assert pragma("query_only") == int(query_only)
    connection.close()


def test_a_query_only_connection_cannot_write(path):
    connection = open_connection(path, query_only=True)
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("INSERT INTO repositories (name) VALUES ('a')")
    connection.close()


def test_a_missing_database_is_not_created(tmp_path):
    with pytest.raises(apsw.CantOpenError):
        open_connection(str(tmp_path / "none.db"))
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_told_apart():
    def name(error, number=0):
        return type(fault("write rows", error, SimpleNamespace(system_errno=number)))

    assert name(apsw.FullError()) is StorageFull
    assert name(apsw.IOError(), errno.EDQUOT) is StorageFull
    assert name(apsw.IOError(), errno.EIO) is StorageFault
    assert name(apsw.BusyError()) is StorageFault
    assert str(fault("write rows", apsw.BusyError("locked"))) == "cannot write rows: locked"
