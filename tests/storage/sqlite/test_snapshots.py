"""Rolling snapshots: taken when one is due, as many as were asked for, never at the cost of the disk's last room."""

import os
from pathlib import Path

import apsw
import pytest

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.storage.sqlite import snapshots as module
from simple_registry.storage.sqlite.engine.name_locks import name_lock
from simple_registry.storage.sqlite.snapshots import Snapshots, snapshots_in
from simple_registry.times import format_stamp

DAY = 24 * 3600.0


@pytest.fixture
def directory(path):
    return f"{path}.snapshots"


@pytest.fixture
def snapshots(path, directory, clock):
    return Snapshots(path, directory, clock, keep=3, interval=DAY)


def names(directory):
    return [Path(found).name for _when, found in snapshots_in(directory)]


def test_a_snapshot_is_the_whole_database_readable_by_its_owner_only(snapshots, look, directory, clock):
    look("INSERT INTO repositories VALUES ('team/app')")
    taken = snapshots.take_if_due()
    assert taken == f"{directory}/registry-{format_stamp(clock.now())}.db"
    assert (os.stat(taken).st_mode & 0o777, os.stat(directory).st_mode & 0o777) == (0o600, 0o700)
    connection = apsw.Connection(taken)
    assert connection.execute("SELECT name FROM repositories").fetchall() == [("team/app",)]
    connection.close()


def test_the_next_one_is_taken_after_the_interval_and_the_last_ones_are_kept(snapshots, directory, clock):
    taken = []
    for _day in range(5):
        taken.append(Path(snapshots.take_if_due()).name)
        clock.time += DAY - 1
        assert snapshots.take_if_due() is None
        clock.time += 1
    assert names(directory) == taken[2:]


def test_a_snapshot_of_a_wrong_clock_neither_delays_the_next_one_nor_outlasts_it(snapshots, directory, clock):
    clock.time += 1000 * DAY
    wrong = Path(snapshots.take_if_due()).name
    clock.time -= 1000 * DAY
    right = []
    for _day in range(3):
        right.append(Path(snapshots.take_if_due()).name)
        assert (wrong in names(directory)) is (len(right) < 3)
        clock.time += DAY
    assert names(directory) == right


def test_without_a_number_none_is_taken_and_none_removed(path, directory, snapshots, clock):
    snapshots.take_if_due()
    clock.time += DAY
    assert Snapshots(path, directory, clock, keep=0, interval=DAY).take_if_due() is None
    assert len(names(directory)) == 1


def test_what_a_crash_left_is_removed(snapshots, directory):
    Path(directory).mkdir()
    for name in ("registry-20000101T000000Z.db.new", "other", "registry-20000231T000000Z.db"):
        (Path(directory) / name).write_bytes(b"")
    taken = Path(snapshots.take_if_due()).name
    assert sorted(os.listdir(directory)) == sorted(["other", "registry-20000231T000000Z.db", taken])


def test_none_is_taken_where_it_would_fill_the_disk(snapshots, directory, monkeypatch, caplog):
    monkeypatch.setattr(module, "MIN_FREE", 1.1)
    assert snapshots.take_if_due() is None
    assert caplog.messages == ["no snapshot of the database is taken: the disk is nearly full"]
    assert not Path(directory).exists()


def test_a_failure_is_a_fault(snapshots, directory):
    Path(directory).write_bytes(b"in the way")
    with pytest.raises(StorageFault, match="take a snapshot of the database"):
        snapshots.take_if_due()


def test_snapshots_that_know_content_are_replaced_by_one_that_does_not(snapshots, look, directory, clock):
    digest = digest_of(b"a secret")
    for number in range(3):
        if number == 1:
            look("INSERT INTO contents (digest, size, place, state) VALUES (?, 1, '', 'whole')", str(digest))
        snapshots.take_if_due()
        clock.time += DAY
    look("DELETE FROM contents")
    before = names(directory)
    removed, left = snapshots.replace(digest)
    assert ([Path(path).name for path in removed], left) == (before[1:], ())
    assert names(directory) == [before[0], f"registry-{format_stamp(clock.now())}.db"]
    assert snapshots.replace(digest) == ((), [])
    assert all(name.endswith(".db") for name in os.listdir(directory))


def test_snapshots_stay_while_there_is_no_room_for_a_new_one(snapshots, directory, monkeypatch):
    taken = snapshots.take_if_due()
    Path(taken).write_bytes(b"no database")
    monkeypatch.setattr(module, "MIN_FREE", 1.0)
    assert snapshots.replace(digest_of(b"a secret")) == ((), [taken])
    assert names(directory) == [Path(taken).name]


def test_one_process_at_a_time_takes_them(snapshots, path):
    with name_lock(f"{path}.lock", "snapshots"):
        assert snapshots.take_if_due() is None
    assert snapshots.take_if_due() is not None
