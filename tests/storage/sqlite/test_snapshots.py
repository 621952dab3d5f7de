"""Rolling snapshots: taken when one is due, as many as were asked for, never at the cost of the disk's last room."""

import os
from pathlib import Path

import apsw
import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite import snapshots as module
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
