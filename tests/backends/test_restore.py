"""Restoring: into an empty directory, verified, and complete or not usable."""

import io
from pathlib import Path

import apsw
import pytest

from simple_registry.backends.backup import Backup
from simple_registry.backends.restore import Restore
from simple_registry.faults import DatabaseLost, DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.filesystem.placement import stamp_of
from simple_registry.storage.sqlite.engine import migrate as migrating
from simple_registry.storage.sqlite.engine.migrate import require_current
from support.documents import push_image
from support.front import Front
from support.stores import on_disk

DATA = b"some content" * 100


@pytest.fixture
def new(tmp_path):
    return tmp_path / "new"


@pytest.fixture
def backup(front, data_dir, tmp_path, clock, watching):
    front.push_blob("a", DATA)
    front.push_blob("a", b"other")
    (data_dir / "admin.hash").write_text("hash")
    return Backup(data_dir, {"a/b.yaml": b"kind: User"}, watching(), clock).to_directory(tmp_path / "backups")[0]


@pytest.fixture
def archive(backup, data_dir, clock, watching):
    stream = io.BytesIO()
    Backup(data_dir, {"a/b.yaml": b"kind: User"}, watching(), clock).to_archive(stream, None)
    return stream.getvalue()


@pytest.fixture(params=["directory", "archive"])
def restore(request, backup, archive, new, watching, clock):
    """Return a function that restores from either kind of backup."""

    def restore(watch=None):
        restoring = Restore(new, watch or watching(), clock)
        if request.param == "directory":
            restoring.from_directory(backup)
        else:
            restoring.from_archive(io.BytesIO(archive), "backup.tar")

    return restore


def files(directory):
    return {
        str(path.relative_to(directory)): (path.stat().st_mode, path.stat().st_size)
        for path in directory.rglob("*")
        if path.is_file()
    }


def test_a_restored_directory_is_the_backup_again(restore, backup, new, clock, watching):
    watch = watching()
    restore(watch)
    assert files(new) == files(backup)
    assert (watch.contents, watch.count, watch.bytes) == (2, 2, watch.size)
    with on_disk(new, clock) as kept, Front(kept, clock) as front:
        assert front.get(f"/v2/a/blobs/{digest_of(DATA)}").body == DATA


def test_restored_content_counts_as_verified(restore, new, clock):
    restore()
    path = Path(Layout(new).blob(digest_of(DATA)))
    connection = apsw.Connection(f"{new}/registry.db")
    select = "SELECT stamp, verified FROM contents WHERE digest = ?"
    assert connection.execute(select, (str(digest_of(DATA)),)).fetchall() == [(stamp_of(path.stat()), clock.now())]
    connection.close()


def test_what_was_deleted_before_the_backup_has_its_grace_again(front, data_dir, tmp_path, new, clock, watching):
    manifest = push_image(front, "team/app", "v1", DATA)
    assert front.delete("/api/v1/repositories/team/app").status == 202
    made, _ = Backup(data_dir, {}, watching(), clock).to_directory(tmp_path / "backups")
    clock.advance(3 * 24 * 3600)
    Restore(new, watching(), clock).from_directory(made)
    with on_disk(new, clock) as kept, Front(kept, clock) as restored:
        restored.run(restored.services.garbage.collect())
        assert (
            restored.post(
                "/api/v1/repositories/team/app/restore", body=b"{}", headers={"Content-Type": "application/json"}
            ).status
            == 200
        )
        assert restored.get("/v2/team/app/manifests/v1").body == manifest


def test_an_empty_directory_is_filled_and_any_other_refused(restore, new):
    new.mkdir()
    restore()
    before = files(new)
    with pytest.raises(DataDirectoryRefused, match="choose an empty directory"):
        restore()
    assert files(new) == before


def test_nothing_is_removed_from_a_directory_that_is_in_the_way(restore, new):
    new.mkdir()
    (new / "mine").write_text("mine")
    with pytest.raises(DataDirectoryRefused, match="holds other files"):
        restore()
    assert [path.name for path in new.iterdir()] == ["mine"]


@pytest.mark.parametrize("stored", [None, b"", DATA[1:], b"x" + DATA[1:]])
def test_damaged_content_is_left_out(backup, new, watching, stored, clock):
    file = Path(Layout(backup).blob(digest_of(DATA)))
    file.unlink()
    if stored is not None:
        file.write_bytes(stored)
    Restore(new, watching(), clock).from_directory(backup)
    assert not Path(Layout(new).blob(digest_of(DATA))).exists()
    assert Path(Layout(new).blob(digest_of(b"other"))).read_bytes() == b"other"


def test_a_backup_of_an_earlier_version_is_brought_up_to_date(new, tmp_path, watching, monkeypatch, clock):
    steps = migrating.migrations()
    with monkeypatch.context() as patch:
        patch.setattr(migrating, "migrations", lambda: steps[:5])
        old = DataDirectory.claim(tmp_path / "old")
        migrating.migrate(old.layout.database)
        old.release()
    Restore(new, watching(), clock).from_directory(tmp_path / "old")
    require_current(f"{new}/registry.db")


def test_rows_in_the_log_of_a_copied_directory_are_restored(backup, new, watching, clock):
    connection = apsw.Connection(f"{backup}/registry.db")
    connection.execute("INSERT INTO repositories (name) VALUES ('in-the-log')")
    assert Path(f"{backup}/registry.db-wal").stat().st_size
    Restore(new, watching(), clock).from_directory(backup)
    connection.close()
    restored = apsw.Connection(f"{new}/registry.db")
    assert ("in-the-log",) in restored.execute("SELECT name FROM repositories").fetchall()
    restored.close()


def test_a_backup_without_a_database_is_lost(backup, new, watching, clock):
    (backup / "registry.db").unlink()
    with pytest.raises(DatabaseLost):
        Restore(new, watching(), clock).from_directory(backup)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_part_of_an_archive_leaves_a_directory_that_no_server_uses(archive, new, watching, share, clock):
    with pytest.raises(StorageFault):
        Restore(new, watching(), clock).from_archive(
            io.BytesIO(archive[: int(archive.index(b"simple-registry data directory") * share)]), "backup.tar"
        )
    if any(new.iterdir()):
        with pytest.raises(DataDirectoryRefused):
            DataDirectory.claim(new)


@pytest.mark.parametrize("name", ["none.tar", "."])
def test_what_is_no_file_is_refused(tmp_path, new, watching, name, clock):
    with pytest.raises(DataDirectoryRefused, match="name a backup"):
        Restore(new, watching(), clock).from_file(tmp_path / name)


def test_what_is_no_data_directory_is_refused(tmp_path, new, watching, clock):
    (tmp_path / "other").mkdir()
    with pytest.raises(DataDirectoryRefused, match="not a data directory"):
        Restore(new, watching(), clock).from_directory(tmp_path / "other")
