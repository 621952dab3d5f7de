"""Frames of a failed sync are never replayed after a crash, and no commit follows them in the log."""

import os
import shutil

import apsw
import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.commits import Change, Commits
from simple_registry.storage.sqlite.engine.connections import open_lock
from simple_registry.storage.sqlite.engine.migrate import migrate
from simple_registry.storage.sqlite.engine.recovery import is_log_suspect, mark_log_suspect


class FailingFile(apsw.VFSFile):
    """A file whose next syncs fail, `failing` of the file system times; its bytes are written anyway."""

    def __init__(self, vfs, name, flags):
        super().__init__("unix", name, flags)
        self._vfs = vfs

    def xSync(self, flags):  # noqa: N802
        if self._vfs.failing:
            self._vfs.failing -= 1
            raise apsw.IOError("the disk does not answer")
        super().xSync(flags)


class FailingVFS(apsw.VFS):
    failing = 0

    def __init__(self):
        super().__init__("failing", base="unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802
        return FailingFile(self, name, flags)


@pytest.fixture
def disk():
    vfs = FailingVFS()
    yield vfs
    vfs.unregister()


@pytest.fixture
def lock(path):
    """The lock file of writers, as another process opens it."""
    descriptor = open_lock(path)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def commits(disk, path):
    commits = Commits(path)
    yield commits
    disk.failing = 0
    commits.close()


@pytest.fixture
def impatient(monkeypatch, disk, path):
    """Commits that do not wait for a reader."""
    monkeypatch.setattr("simple_registry.storage.sqlite.engine.connections.BUSY_MILLISECONDS", 10)
    commits = Commits(path)
    yield commits
    commits.close()


def put(commits, name, *, durable=True):
    def insert(connection):
        connection.execute("INSERT INTO repositories (name) VALUES (?)", (name,))
        return name

    return commits.commit([Change(insert, durable=durable)])[0]


def names(path):
    connection = apsw.Connection(path)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM repositories ORDER BY name")]
    finally:
        connection.close()


def crashed(path, tmp_path):
    """Return a copy of the database as a process finds it after all others were killed."""
    copy = str(tmp_path / "crashed.db")
    for ending in ("", "-wal"):
        shutil.copy(path + ending, copy + ending)
    return copy


@pytest.mark.parametrize("failures", [1, 100])
def test_a_commit_whose_sync_failed_does_not_reappear_after_a_crash(commits, disk, path, tmp_path, failures):
    assert put(commits, "kept").result == "kept"
    disk.failing = failures
    assert isinstance(put(commits, "refused").error, StorageFault)
    disk.failing = 0
    assert names(path) == ["kept"]
    assert names(crashed(path, tmp_path)) == ["kept"]


def test_no_commit_follows_unsynced_frames_in_the_log(commits, disk, path, tmp_path):
    """The kernel may have dropped them: they are moved into the database, and the log is restarted."""
    put(commits, "unsynced", durable=False)
    disk.failing = 1
    put(commits, "refused")
    assert put(commits, "kept").result == "kept"
    found = crashed(path, tmp_path)
    os.unlink(f"{found}-wal")
    assert names(found) == ["unsynced"]


def test_nothing_is_committed_while_the_log_cannot_be_restarted(commits, disk, path):
    disk.failing = 100
    put(commits, "refused")
    assert isinstance(put(commits, "refused too").error, StorageFault)
    disk.failing = 0
    assert put(commits, "kept").result == "kept"
    assert names(path) == ["kept"]


def test_a_suspect_log_is_known_to_other_processes_until_it_is_restarted(commits, disk, path, tmp_path, lock):
    put(commits, "unsynced", durable=False)
    disk.failing = 100
    put(commits, "refused")
    disk.failing = 0
    assert is_log_suspect(lock)
    other = Commits(path)
    assert put(other, "kept").result == "kept"
    other.close()
    assert not is_log_suspect(lock)
    found = crashed(path, tmp_path)
    os.unlink(f"{found}-wal")
    assert "unsynced" in names(found)


def test_a_log_in_use_by_a_reader_stays_suspect(impatient, path, lock):
    put(impatient, "a")
    reader = apsw.Connection(path)
    reader.execute("BEGIN; SELECT 1 FROM repositories").fetchall()
    mark_log_suspect(lock)
    assert "a reader uses it" in str(put(impatient, "b").error)
    reader.close()
    assert put(impatient, "b").result == "b"
    assert not is_log_suspect(lock)


def grow_log(commits, *, durable=True):
    """Commit more pages than the log holds before a checkpoint."""

    def insert(connection):
        connection.executemany("INSERT INTO repositories (name) VALUES (?)", [(f"{n:04}" * 500,) for n in range(1500)])

    return commits.commit([Change(insert, durable=durable)])[0]


def test_a_sync_that_fails_during_a_checkpoint_makes_the_log_suspect(impatient, disk, path, lock):
    """It covers commits that were not durable; a durable one must not follow them in this log."""
    put(impatient, "a")
    reader = apsw.Connection(path)  # keeps a part of the log from being moved
    reader.execute("BEGIN; SELECT 1 FROM repositories").fetchall()
    disk.failing = 1
    assert grow_log(impatient, durable=False).error is None
    assert is_log_suspect(lock)
    assert "a reader uses it" in str(put(impatient, "b").error)
    reader.close()
    assert put(impatient, "b").result == "b"
    assert not is_log_suspect(lock)


def test_a_growing_log_is_moved_into_the_database(commits, path, tmp_path):
    for _ in range(3):
        assert grow_log(commits).error is None
        commits.commit([Change(lambda connection: connection.execute("DELETE FROM repositories"))])
    put(commits, "a")
    assert os.stat(f"{path}-wal").st_size < 24 * 1024 * 1024
    found = crashed(path, tmp_path)
    os.unlink(f"{found}-wal")
    assert names(found) != []


def test_a_sync_that_fails_at_close_leaves_a_suspect_log_for_the_next_start(disk, path, lock):
    commits = Commits(path, log_reserve=1024 * 1024)
    put(commits, "unsynced", durable=False)
    disk.failing = 1
    commits.close()
    other = Commits(path)
    assert is_log_suspect(lock)
    assert put(other, "kept").result == "kept"
    assert not is_log_suspect(lock)
    other.close()


def test_a_sync_that_fails_at_start_leaves_a_suspect_log_for_the_workers(disk, path, monkeypatch, lock):
    commits = Commits(path, log_reserve=1024 * 1024)
    put(commits, "unsynced", durable=False)
    monkeypatch.setattr("simple_registry.storage.sqlite.engine.commits.truncate_log", lambda *_: None)
    disk.failing = 1
    migrate(path, log_reserve=1024 * 1024)
    assert is_log_suspect(lock)
    assert put(commits, "kept").result == "kept"
    commits.close()


def test_a_full_disk_does_not_make_the_log_suspect(commits, path, lock):
    def give_up(connection):
        connection.execute("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    commits.commit([Change(give_up)])
    assert not is_log_suspect(lock)
