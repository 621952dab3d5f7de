"""The settings that durability requires, and the faults for SQLite's errors."""

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from simple_registry.faults import StorageFault, StorageFull, StorageReadOnly
from simple_registry.storage.sqlite.engine import connections as module
from simple_registry.storage.sqlite.engine.connections import fault, open_connection, open_lock


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


@pytest.mark.parametrize("with_log", [False, True])
def test_a_reader_writes_nothing_on_a_read_only_disk(path, look, monkeypatch, with_log):
    """With a log that holds rows, and with none: never without the rows of the log."""
    look("INSERT INTO repositories (name) VALUES ('a')")
    if not with_log:
        look("PRAGMA wal_checkpoint(TRUNCATE)")
    opened = []

    class Connection(apsw.Connection):
        def __init__(self, name, **how):
            opened.append(name)
            if len(opened) == 1:
                raise apsw.CantOpenError
            super().__init__(name, **how)

    monkeypatch.setattr(module, "is_read_only", lambda _path: True)
    monkeypatch.setattr(module.apsw, "Connection", Connection)
    connection = open_connection(path, query_only=True)
    assert connection.execute("SELECT name FROM repositories").fetchall() == [("a",)]
    assert ("immutable" in opened[1]) is not with_log
    with pytest.raises(apsw.ReadOnlyError):
        connection.execute("DELETE FROM repositories")
    connection.close()


@pytest.mark.parametrize(("query_only", "read_only"), [(True, False), (False, True)])
def test_only_a_reader_on_a_read_only_disk_ignores_the_log(path, monkeypatch, query_only, read_only):
    def fail(*_arguments, **_how):
        raise apsw.CantOpenError

    monkeypatch.setattr(module, "is_read_only", lambda _path: read_only)
    monkeypatch.setattr(module.apsw, "Connection", fail)
    with pytest.raises(apsw.CantOpenError):
        open_connection(path, query_only=query_only)


def test_a_disk_that_can_be_written_is_not_read_only(path, monkeypatch):
    assert not module.is_read_only(path)
    assert not module.is_read_only(f"{path}.none")

    def refuse(_path):
        raise OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(module.os, "utime", refuse)
    assert module.is_read_only(path)


def test_a_full_disk_has_its_own_fault():
    def name(error, number=0):
        return type(fault("write rows", error, SimpleNamespace(system_errno=number)))

    assert name(apsw.FullError()) is StorageFull
    assert name(apsw.IOError(), errno.EDQUOT) is StorageFull
    assert name(apsw.IOError(), errno.EIO) is StorageFault
    assert name(apsw.BusyError()) is StorageFault
    assert name(apsw.ReadOnlyError()) is StorageReadOnly
    assert name(apsw.IOError(), errno.EROFS) is StorageReadOnly
    assert name(OSError(errno.EROFS, "read-only")) is StorageReadOnly
    assert name(OSError(errno.ENOSPC, "full")) is StorageFull
    assert str(fault("write rows", apsw.BusyError("locked"))) == "cannot write rows: locked"


def test_a_symbolic_link_is_not_followed_to_a_lock(path, tmp_path):
    lock = Path(f"{path}.lock")
    lock.unlink(missing_ok=True)
    lock.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        open_lock(path)
    assert not (tmp_path / "elsewhere").exists()
    lock.unlink()
    os.close(open_lock(path))
    assert lock.stat().st_mode & 0o777 == 0o600
