"""New, current, newer and foreign databases."""

import asyncio
import json
import time
from pathlib import Path

import apsw
import pytest

from simple_registry.clock import SystemClock
from simple_registry.faults import DataDirectoryRefused, StorageFault
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.records import Received, SessionRow, TotalUsage, Usage
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine import migrate as module
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.engine.migrate import APPLICATION_ID, migrate, migrations, require_current


def refused(path):
    """Return the message of the refusal, and require that it is one line and changed nothing."""
    before = Path(path).read_bytes()
    with pytest.raises(DataDirectoryRefused) as caught:
        migrate(path)
    assert "\n" not in str(caught.value)
    assert Path(path).read_bytes() == before
    return str(caught.value)


def test_a_new_database_has_the_newest_schema(path, look):
    assert look("PRAGMA user_version") == [(len(migrations()),)]
    assert look("PRAGMA application_id") == [(APPLICATION_ID,)]
    assert look("PRAGMA journal_mode") == [("wal",)]


def test_migrating_again_changes_nothing(path, look):
    look("INSERT INTO repositories (name) VALUES ('a')")
    schema = look("SELECT sql FROM sqlite_schema")
    migrate(path)
    assert look("SELECT sql FROM sqlite_schema") == schema
    assert look("SELECT name FROM repositories") == [("a",)]


def test_a_newer_database_is_refused(path, look):
    look("PRAGMA user_version = 99")
    look("PRAGMA wal_checkpoint(TRUNCATE)")
    assert "a newer version wrote it (schema 99" in refused(path)


def test_a_database_of_another_program_is_refused(tmp_path):
    path = str(tmp_path / "registry.db")
    connection = apsw.Connection(path)
    connection.execute("CREATE TABLE recipes (cake)")
    connection.close()
    assert "a database of another program" in refused(path)


def test_a_file_that_is_not_a_database_is_refused(tmp_path):
    path = str(tmp_path / "registry.db")
    Path(path).write_bytes(b"holiday " * 1000)
    assert "not a sound database" in refused(path)


USED = "content in blobs/"


@pytest.mark.parametrize("look_first", [migrate, require_current])
@pytest.mark.parametrize("left", ["nothing", "no bytes", "no tables"])
def test_a_lost_database_is_not_replaced_by_an_empty_one(tmp_path, left, look_first):
    path = tmp_path / "registry.db"
    if left == "no bytes":
        path.touch()
    elif left == "no tables":
        connection = apsw.Connection(str(path))
        connection.execute("CREATE TABLE x (y); DROP TABLE x")
        connection.close()
    before = {entry: entry.read_bytes() for entry in tmp_path.iterdir()}
    with pytest.raises(DataDirectoryRefused, match="restore it from a backup") as caught:
        look_first(str(path), **({"traces": lambda: USED} if look_first is migrate else {}))
    assert look_first is not migrate or USED in str(caught.value)
    assert "\n" not in str(caught.value)
    assert {entry: entry.read_bytes() for entry in tmp_path.iterdir()} == before


def test_a_log_without_its_database_is_kept(tmp_path):
    log = tmp_path / "registry.db-wal"
    log.write_bytes(b"committed rows")
    with pytest.raises(DataDirectoryRefused, match=r"registry\.db-wal shows that the registry was in use"):
        migrate(str(tmp_path / "registry.db"))
    assert log.read_bytes() == b"committed rows"


def test_an_interrupted_first_start_is_continued(tmp_path):
    path = tmp_path / "registry.db"
    path.touch()
    migrate(str(path), traces=lambda: None)
    require_current(str(path))


@pytest.mark.parametrize("look_first", [migrate, require_current])
@pytest.mark.parametrize("size", [100, 4096, -4096])
def test_a_truncated_database_is_refused(path, size, look_first):
    whole = Path(path).read_bytes()
    cut = whole[:size]
    Path(path).write_bytes(cut)
    with pytest.raises(DataDirectoryRefused, match="restore it from a backup"):
        look_first(path)
    assert Path(path).read_bytes() == cut


def test_a_database_shorter_than_its_pages_is_complete_with_its_log(path, look):
    look("INSERT INTO repositories (name) SELECT value FROM json_each(?)", json.dumps([*range(10_000)]))
    require_current(path)
    migrate(path)
    assert look("SELECT count(*) FROM repositories") == [(10_000,)]


def test_a_path_without_a_directory_is_a_fault(tmp_path):
    with pytest.raises(StorageFault, match="cannot open the database"):
        migrate(str(tmp_path / "none" / "registry.db"))


def test_each_migration_is_applied_once_and_completely(path, look, monkeypatch):
    steps = migrations()
    monkeypatch.setattr(module, "migrations", lambda: [*steps, "CREATE TABLE extra (x)", "CREATE TABLE broken (y); no"])
    with pytest.raises(StorageFault):
        migrate(path)
    assert look("PRAGMA user_version") == [(len(steps) + 1,)]
    assert look("SELECT name FROM sqlite_schema WHERE name IN ('extra', 'broken')") == [("extra",)]


def test_sessions_continue_after_a_migration(tmp_path, monkeypatch):
    path, steps = str(tmp_path / "registry.db"), migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: steps[:2])
        migrate(path)
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO upload_sessions VALUES ('s', 'a', 'ada', 'sha256', 0, NULL, 7.5)")
    connection.close()
    migrate(path)
    store = rows_of(Database(path), SystemClock())
    found = asyncio.run(store.sessions.find_session("s"))
    assert found == SessionRow("s", RepositoryName("a"), "ada", "sha256", Received(), 7.5, 7.5)
    asyncio.run(store.close())


@pytest.mark.parametrize("used", [True, False])
def test_a_journal_knows_nothing_from_before_its_migration(tmp_path, monkeypatch, used):
    path, steps = str(tmp_path / "registry.db"), migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: steps[:7])
        migrate(path)
    connection = apsw.Connection(path)
    if used:
        connection.execute("INSERT INTO repositories VALUES ('a')")
    connection.close()
    before = int(time.time())
    migrate(path)
    store = rows_of(Database(path), SystemClock())
    begins = asyncio.run(store.journal.begins())
    assert (before <= begins <= time.time()) if used else (begins is None)
    asyncio.run(store.close())


def test_tags_from_before_their_times_count_as_pushed_by_the_migration(tmp_path, monkeypatch):
    path, steps = str(tmp_path / "registry.db"), migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: steps[:8])
        migrate(path)
    digest = f"sha256:{'0' * 64}"
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO tags (repository, tag, digest) VALUES ('a', 'v1', ?)", (digest,))
    connection.close()
    before = int(time.time())
    migrate(path)
    store = rows_of(Database(path), SystemClock())
    (tag,) = asyncio.run(store.tag_times.dated_tags(RepositoryName("a")))
    assert before <= tag.pushed <= time.time()
    assert tag.pulled is None
    asyncio.run(store.close())


def test_what_older_versions_stored_is_counted(tmp_path, monkeypatch):
    path, steps = str(tmp_path / "registry.db"), migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: steps[:9])
        migrate(path)
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO repositories VALUES ('a'), ('b')")
    for number, state in enumerate(("needed", "unneeded", "deleted")):
        digest = f"sha256:{str(number) * 64}"
        connection.execute("INSERT INTO contents (digest, size, state) VALUES (?, ?, 'whole')", (digest, 10**number))
        connection.execute(
            "INSERT INTO repository_blobs (repository, digest, state) VALUES ('a', ?, ?)", (digest, state)
        )
    connection.close()
    migrate(path)
    store = rows_of(Database(path), SystemClock())
    counted = Usage(blobs=1, bytes=1, unneeded_bytes=10, deleted_bytes=100)
    assert asyncio.run(store.usage.page_usage(None, 9)) == [("a", counted), ("b", Usage())]
    assert asyncio.run(store.usage.total_usage()) == TotalUsage(2, counted, 3, 111, 0)
    asyncio.run(store.close())


def test_content_of_an_older_version_counts_as_never_verified(tmp_path, monkeypatch):
    path, steps = str(tmp_path / "registry.db"), migrations()
    with monkeypatch.context() as patch:
        patch.setattr(module, "migrations", lambda: steps[:10])
        migrate(path)
    connection = apsw.Connection(path)
    connection.execute("INSERT INTO contents (digest, size) VALUES ('sha256:x', 1)")
    migrate(path)
    assert connection.execute("SELECT stamp, verified FROM contents").fetchall() == [("", 0.0)]
    connection.close()


def test_migrations_are_numbered_without_a_gap(monkeypatch, tmp_path):
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "0002_second.sql").write_text("SELECT 1")
    monkeypatch.setattr(module.resources, "files", lambda _package: tmp_path)
    with pytest.raises(RuntimeError, match="gap"):
        migrations()


def test_only_the_owner_may_read_the_database(tmp_path):
    path = tmp_path / "registry.db"
    migrate(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
