"""Recovering a database: from the newest sound copy, without a guess, and with the broken one kept."""

import os
from pathlib import Path

import apsw
import pytest

from simple_registry.backends import local
from simple_registry.backends.recovery import Recovery
from simple_registry.cli.main import main
from simple_registry.faults import DataDirectoryRefused, StorageFull
from simple_registry.oci.digests import digest_of
from simple_registry.oci.media_types import OCI_IMAGE_MANIFEST
from simple_registry.storage.filesystem.data_directory import DataDirectory
from simple_registry.storage.filesystem.disk import Disk
from simple_registry.storage.filesystem.layout import Layout
from simple_registry.storage.sqlite.engine.migrate import damage_of, migrate, require_current
from support.documents import encode, image, push_image
from support.front import Front
from support.stores import on_disk

DAY = 24 * 3600.0
LAYER, NEWER = b"layer" * 1000, b"newer layer" * 1000


def serving(data_dir, clock, work):
    """Do some work with a server over the directory, which then stops."""
    with on_disk(data_dir, clock) as kept, Front(kept, clock) as front:
        return work(front)


@pytest.fixture
def take(data_dir, clock):
    return local.open_snapshots(data_dir, clock, keep=3, interval=DAY).take_if_due


@pytest.fixture
def manifest(data_dir, clock, take):
    """An image in a snapshot, and one that was pushed after it."""
    known = serving(data_dir, clock, lambda front: push_image(front, "team/app", "v1", LAYER))
    take()
    clock.advance(3600)
    serving(data_dir, clock, lambda front: push_image(front, "team/app", "v2", LAYER, NEWER))
    return known


@pytest.fixture
def database(data_dir):
    return data_dir / "registry.db"


def delete(path):
    path.unlink()


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def zero(path):
    path.write_bytes(bytes(path.stat().st_size))


def overwrite(path):
    path.write_bytes(b"something else" * 1000)


def flip_pages(path):
    """Damage that only a check of every page finds."""
    data = bytearray(path.read_bytes())
    for page in range(3, len(data) // 4096):
        data[page * 4096 : page * 4096 + 64] = os.urandom(64)
    path.write_bytes(data)


DAMAGE = pytest.mark.parametrize("damage", [delete, truncate, empty, zero, overwrite, flip_pages])


@DAMAGE
def test_what_the_snapshot_has_can_be_pulled_again(data_dir, database, manifest, clock, damage):
    damage(database)
    broken = database.read_bytes() if database.exists() else None
    recovered = Recovery(data_dir, clock).run()
    assert recovered.copy.startswith("snapshots/registry-")
    assert recovered.taken == clock.now() - 3600
    assert recovered.damaged == []
    assert (recovered.moved_to is None) is (broken is None)
    if broken is not None:
        assert (data_dir / recovered.moved_to).read_bytes() == broken
    require_current(str(database))
    assert (database.stat().st_mode & 0o777) == 0o600

    def pull(front):
        assert front.get("/v2/team/app/manifests/v1").body == manifest
        assert front.get(f"/v2/team/app/blobs/{digest_of(LAYER)}").body == LAYER
        assert front.get("/v2/team/app/manifests/v2").status == 404
        return push_image(front, "team/app", "v2", LAYER, NEWER)

    serving(data_dir, clock, pull)
    assert Recovery(data_dir, clock).run() is None
    assert main(["fsck", "-deep", "-datadir", str(data_dir)]) == 0


def test_a_sound_database_is_left_alone(data_dir, database, manifest, clock):
    before = database.read_bytes()
    names = sorted(os.listdir(data_dir))
    assert Recovery(data_dir, clock).run() is None
    assert (database.read_bytes(), sorted(os.listdir(data_dir))) == (before, names)


def test_content_that_is_newer_than_the_snapshot_is_reported_and_not_assigned(data_dir, database, manifest, clock):
    database.unlink()
    found = {each.digest: each for each in Recovery(data_dir, clock).run().unassigned}
    newer = encode(image(LAYER, NEWER))
    assert found.keys() == {digest_of(newer), digest_of(NEWER)}
    assert (found[digest_of(newer)].media_type, found[digest_of(newer)].size) == (OCI_IMAGE_MANIFEST, len(newer))
    assert found[digest_of(NEWER)].media_type is None


def test_what_was_deleted_in_the_snapshot_has_its_grace_again(data_dir, database, clock, take):
    def delete_all(front):
        pushed = push_image(front, "team/app", "v1", LAYER)
        assert front.delete("/api/v1/repositories/team/app").status == 202
        return pushed

    manifest = serving(data_dir, clock, delete_all)
    take()
    clock.advance(3 * DAY)
    database.unlink()
    Recovery(data_dir, clock).run()

    def restore(front):
        front.run(front.services.garbage.collect())
        assert (
            front.post(
                "/api/v1/repositories/team/app/restore", body=b"{}", headers={"Content-Type": "application/json"}
            ).status
            == 200
        )
        assert front.get("/v2/team/app/manifests/v1").body == manifest
        assert front.get(f"/v2/team/app/blobs/{digest_of(LAYER)}").body == LAYER

    serving(data_dir, clock, restore)


def test_content_that_was_condemned_in_the_snapshot_is_reported_and_stays(data_dir, database, manifest, clock, take):
    def end(front):
        digest = front.push_blob("team/app", b"condemned")
        front.delete(f"/v2/team/app/blobs/{digest}")
        front.run(front.kept.stores.rows.garbage.end_holdings(clock.now() + 1, 99))
        return digest

    digest = serving(data_dir, clock, end)
    clock.advance(DAY)
    take()
    database.unlink()
    assert [each.digest for each in Recovery(data_dir, clock).run().unassigned] == [digest]
    serving(data_dir, clock, lambda front: front.run(front.services.garbage.collect()))
    assert Path(Layout(data_dir).blob(digest)).read_bytes() == b"condemned"


def test_content_that_went_after_the_snapshot_is_damaged(data_dir, database, manifest, clock):
    Path(Layout(data_dir).blob(digest_of(LAYER))).unlink()
    database.unlink()
    (damaged,) = Recovery(data_dir, clock).run().damaged
    assert (damaged.digest, damaged.reason, damaged.uses.tags) == (digest_of(LAYER), "it is missing", ("team/app:v1",))

    def heal(front):
        assert front.get(f"/v2/team/app/blobs/{digest_of(LAYER)}").status == 404
        front.push_blob("team/app", LAYER)
        assert front.get(f"/v2/team/app/blobs/{digest_of(LAYER)}").body == LAYER

    serving(data_dir, clock, heal)


def test_a_log_of_the_broken_database_is_not_replayed_into_the_recovered_one(data_dir, database, manifest, clock):
    connection = apsw.Connection(str(database))
    connection.execute("UPDATE tags SET tag = 'in-the-log' WHERE tag = 'v1'")
    log = Path(f"{database}-wal").read_bytes()
    connection.close()
    Path(f"{database}-wal").write_bytes(log)
    overwrite(database)
    recovered = Recovery(data_dir, clock).run()
    assert (data_dir / f"{recovered.moved_to}-wal").read_bytes() == log
    tags = serving(data_dir, clock, lambda front: front.get("/v2/team/app/tags/list").json["tags"])
    assert tags == ["v1"]


def test_a_broken_snapshot_is_skipped_and_named(data_dir, database, manifest, clock, take):
    clock.advance(DAY)
    newest = Path(take())
    clock.advance(DAY)
    unreadable = Path(take())
    truncate(newest)
    overwrite(unreadable)
    database.unlink()
    recovered = Recovery(data_dir, clock).run()
    assert list(recovered.skipped) == [f"snapshots/{unreadable.name}", f"snapshots/{newest.name}"]
    assert recovered.taken == clock.now() - 2 * DAY - 3600


def test_the_copy_before_an_upgrade_counts_and_is_brought_up_to_date(data_dir, database, manifest, clock):
    for path in (data_dir / "snapshots").iterdir():
        path.rename(data_dir / "registry.db.before-7")
    (data_dir / "snapshots").rmdir()
    connection = apsw.Connection(str(data_dir / "registry.db.before-7"))
    connection.close()
    database.unlink()
    assert Recovery(data_dir, clock).run().copy == "registry.db.before-7"
    assert (data_dir / "registry.db.before-7").exists()
    assert not list(data_dir.glob("registry.db.recovered*"))


def test_without_a_copy_nothing_is_changed_and_manifests_are_named(data_dir, database, manifest, clock):
    for path in (data_dir / "snapshots").iterdir():
        path.unlink()
    truncate(database)
    before = database.read_bytes()
    recovered = Recovery(data_dir, clock).run()
    assert recovered.copy is None
    assert database.read_bytes() == before
    assert digest_of(manifest) in {each.digest for each in recovered.unassigned if each.media_type}


@pytest.mark.parametrize("call", range(6))
def test_a_recovery_that_fails_at_any_point_can_be_repeated(data_dir, database, manifest, clock, monkeypatch, call):
    Path(f"{database}-wal").write_bytes(b"a log")
    overwrite(database)
    left = iter(range(call))

    def dying(real):
        def call(self, *arguments):
            if next(left, None) is None:
                raise StorageFull("rename a file", "the end")
            real(self, *arguments)

        return call

    with monkeypatch.context() as patch:
        for name in ("rename", "fsync_directory"):
            patch.setattr(Disk, name, dying(getattr(Disk, name)))
        with pytest.raises((StorageFull, DataDirectoryRefused)):
            Recovery(data_dir, clock).run()
    in_place = database.exists() and damage_of(str(database)) is None
    if not in_place:
        claim = DataDirectory.claim(data_dir)
        with pytest.raises(DataDirectoryRefused, match="recover"):
            migrate(str(database), traces=claim.traces)
        claim.release()
        assert Recovery(data_dir, clock).run().copy is not None
    assert serving(data_dir, clock, lambda front: front.get("/v2/team/app/manifests/v1").body) == manifest
    assert in_place is (call == 5)


def test_a_directory_in_use_or_of_nothing_is_refused(data_dir, clock, tmp_path):
    with on_disk(data_dir, clock), pytest.raises(DataDirectoryRefused, match="uses it"):
        Recovery(data_dir, clock)
    with pytest.raises(DataDirectoryRefused, match="not a data directory"):
        Recovery(tmp_path / "other", clock)
    assert not (tmp_path / "other").exists()
