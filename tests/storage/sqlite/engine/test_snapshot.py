"""A copy of the database, for a return from an upgrade."""

import os
from pathlib import Path

import apsw
import pytest

from simple_registry.faults import DataDirectoryRefused
from simple_registry.storage.sqlite.engine import copies, migrate as migrating
from simple_registry.storage.sqlite.engine.migrate import migrate, migrations, require_current

OLD = 5


@pytest.fixture
def old(tmp_path, monkeypatch):
    """A database of an earlier schema, with a row in its log."""
    path = str(tmp_path / "registry.db")
    steps = migrations()
    monkeypatch.setattr(migrating, "migrations", lambda: steps[:OLD])
    migrate(path)
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO repositories VALUES ('a')")
    connection.execute("INSERT INTO blobs (digest, size) VALUES ('sha256:a', 1)")
    connection.execute("INSERT INTO repository_blobs VALUES ('a', 'sha256:a')")
    yield path
    connection.close()


@pytest.fixture
def upgrade(old, monkeypatch):
    def run():
        monkeypatch.setattr(migrating, "migrations", migrations)
        migrate(old)

    return run


def rows(path):
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return (
            connection.execute("PRAGMA user_version").fetchall()
            + connection.execute("SELECT name FROM repositories").fetchall()
        )
    finally:
        connection.close()


def test_an_upgrade_keeps_the_previous_database(old, upgrade):
    upgrade()
    copy = Path(f"{old}.before-{OLD + 1}")
    assert rows(copy) == [(OLD,), ("a",)]
    assert copy.stat().st_mode & 0o777 == 0o600
    assert rows(old) == [(len(migrations()),), ("a",)]
    before = copy.stat()
    upgrade()
    assert copy.stat() == before


def test_an_upgrade_is_announced_before_it_begins(old, monkeypatch, caplog):
    calls = []

    def upgrading():
        calls.append((rows(old), os.listdir(Path(old).parent), caplog.messages[-1]))

    monkeypatch.setattr(migrating, "migrations", migrations)
    for _start in range(2):
        migrate(old, upgrading=upgrading)
    ((before, names, line),) = calls
    assert before == [(OLD,), ("a",)]
    assert not [name for name in names if ".before-" in name]
    assert line.startswith(f"upgrading the database from schema {OLD} to {len(migrations())};")


def test_a_new_database_is_no_upgrade(tmp_path, caplog):
    migrate(str(tmp_path / "new.db"), upgrading=lambda: pytest.fail("nothing is upgraded"))
    assert caplog.messages == []


def test_the_previous_version_works_with_the_copy(old, upgrade, monkeypatch):
    upgrade()
    for suffix in ("-wal", "-shm"):
        Path(old + suffix).unlink(missing_ok=True)
    Path(f"{old}.before-{OLD + 1}").replace(old)
    monkeypatch.setattr(migrating, "migrations", lambda: migrations()[:OLD])
    migrate(old)
    require_current(old)
    assert rows(old) == [(OLD,), ("a",)]


def test_an_unfinished_copy_is_replaced(old, upgrade):
    Path(f"{old}.before-{OLD + 1}.new").write_bytes(b"half")
    Path(f"{old}.before-{OLD + 1}").write_bytes(b"of an earlier upgrade")
    upgrade()
    assert rows(f"{old}.before-{OLD + 1}") == [(OLD,), ("a",)]
    assert not Path(f"{old}.before-{OLD + 1}.new").exists()


@pytest.mark.parametrize("error", [apsw.FullError("disk is full"), OSError(28, "No space left on device")])
def test_without_room_for_a_copy_nothing_is_upgraded(old, upgrade, monkeypatch, error):
    def full(*_):
        raise error

    monkeypatch.setattr(copies, "sync", full)
    with pytest.raises(DataDirectoryRefused, match="there is no room for the copy") as refused:
        upgrade()
    assert "\n" not in str(refused.value)
    assert rows(old) == [(OLD,), ("a",)]
    assert not [name for name in os.listdir(Path(old).parent) if name.endswith(".new")]


def test_a_new_database_has_no_copy(path):
    assert not list(Path(path).parent.glob("*.before-*"))
