"""Several changes in one commit: each succeeds or fails alone, and a commit that fails undoes all."""

import errno
import os
import subprocess
import sys

import apsw
import pytest

from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine import commits as commits_module
from simple_registry.storage.sqlite.engine.commits import Change, Commits


@pytest.fixture
def commits(path):
    commits = Commits(path)
    yield commits
    commits.close()


def insert(name):
    def apply(connection):
        connection.execute("INSERT INTO repositories (name) VALUES (?)", (name,))
        return name

    return apply


def names(look):
    return [name for (name,) in look("SELECT name FROM repositories ORDER BY name")]


def test_all_changes_are_made(commits, look):
    outcomes = commits.commit([Change(insert(name)) for name in "abc"])
    assert [outcome.result for outcome in outcomes] == ["a", "b", "c"]
    assert names(look) == ["a", "b", "c"]


def test_a_failed_change_is_undone_without_the_others(commits, look):
    def half(connection):
        insert("half")(connection)
        raise ValueError("no")

    outcomes = commits.commit([Change(insert("a")), Change(half), Change(insert("a")), Change(insert("b"))])
    assert [type(outcome.error) for outcome in outcomes] == [type(None), ValueError, StorageFault, type(None)]
    assert names(look) == ["a", "b"]


@pytest.mark.parametrize(
    ("reason", "error"), [(ValueError("no"), ValueError), (apsw.ConstraintError("no"), StorageFault)]
)
def test_a_change_that_fails_alone_is_undone(commits, look, reason, error):
    def half(connection):
        insert("half")(connection)
        raise reason

    outcome = commits.commit([Change(half)])[0]
    assert type(outcome.error) is error
    assert names(look) == []
    assert commits.commit([Change(insert("a"))])[0].result == "a"
    assert names(look) == ["a"]


def test_a_commit_that_fails_undoes_all_changes(commits, look):
    def spoil(connection):
        insert("child")(connection)
        connection.execute("PRAGMA defer_foreign_keys = ON")
        connection.execute("INSERT INTO repository_blobs (repository, digest) VALUES ('child', 'none')")

    outcomes = commits.commit([Change(insert("a")), Change(spoil)])
    assert [type(outcome.error) for outcome in outcomes] == [StorageFault] * 2
    assert names(look) == []
    assert commits.commit([Change(insert("a"))])[0].result == "a"


def test_a_transaction_rolled_back_by_sqlite_undoes_all_changes(commits, look):
    def give_up(connection):
        connection.execute("ROLLBACK")
        raise apsw.FullError("database or disk is full")

    outcomes = commits.commit([Change(insert("a")), Change(give_up), Change(insert("b"))])
    assert [str(outcome.error) for outcome in outcomes] == ["cannot write rows: database or disk is full"] * 3
    assert names(look) == []
    assert commits.commit([Change(insert("a"))])[0].result == "a"


def test_a_disk_without_room_loses_nothing(path, look):
    """The kernel refuses to let the log grow: what was committed stays, the rest is refused as full."""
    program = """
import resource, signal, sys
from simple_registry.storage.sqlite.engine import commits as commits_module
from simple_registry.storage.sqlite.engine.commits import Change, Commits
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
commits = Commits(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
for number in range(1000):
    insert = lambda connection: connection.execute("INSERT INTO repositories VALUES (?)", (f"{number:04}" * 50,)) and 1
    (outcome,) = commits.commit([Change(insert)])
    if outcome.error is not None:
        break
print(number, type(outcome.error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
    number, error = done.stdout.split()
    assert error == "StorageFull"
    assert len(names(look)) == int(number) > 10
    assert look("PRAGMA integrity_check") == [("ok",)]


def test_a_missing_database_is_a_fault_for_the_writer(tmp_path):
    with pytest.raises(StorageFault):
        Commits(str(tmp_path / "none.db"))


def test_a_lock_file_that_cannot_be_opened_is_a_fault(path):
    os.mkdir(f"{path}.lock")
    with pytest.raises(StorageFault):
        Commits(path)


class CountingFile(apsw.VFSFile):
    def __init__(self, vfs, name, flags):
        super().__init__("unix", name, flags)
        self._vfs = vfs

    def xSync(self, flags):  # noqa: N802
        self._vfs.synced += 1
        super().xSync(flags)


class CountingVFS(apsw.VFS):
    synced = 0

    def __init__(self):
        super().__init__("counting", base="unix", makedefault=True)

    def xOpen(self, name, flags):  # noqa: N802
        return CountingFile(self, name, flags)


@pytest.fixture
def counting():
    vfs = CountingVFS()
    yield vfs
    vfs.unregister()


def test_only_a_commit_with_a_durable_change_is_synced(counting, path, look):
    commits = Commits(path)
    commits.commit([Change(insert("a"))])  # begins the log

    def syncs(*changes):
        before = counting.synced
        commits.commit(changes)
        return counting.synced - before

    assert syncs(Change(insert("b"), durable=False)) == 0
    assert syncs(Change(insert("c"), durable=False), Change(insert("d"))) == 1
    assert syncs(Change(insert("e"), durable=False)) == 0
    assert syncs(Change(insert("f"))) == 1
    assert names(look) == list("abcdef")
    commits.close()


class Interrupted:
    """A connection of which the first commits are interrupted."""

    system_errno = errno.EINTR

    def __init__(self, connection, times):
        self._connection = connection
        self._left = times

    def execute(self, sql, *bindings):
        if sql == "COMMIT" and self._left:
            self._left -= 1
            raise apsw.IOError("disk I/O error")
        return self._connection.execute(sql, *bindings)

    def __getattr__(self, name):
        return getattr(self._connection, name)


def interrupted(path, monkeypatch, times):
    opened = commits_module.open_connection(path)
    monkeypatch.setattr(commits_module, "open_connection", lambda *_: Interrupted(opened, times))
    return Commits(path)


def test_a_commit_interrupted_by_a_signal_is_repeated(path, look, monkeypatch):
    commits = interrupted(path, monkeypatch, times=2)
    assert [outcome.result for outcome in commits.commit([Change(insert("a")), Change(insert("b"))])] == ["a", "b"]
    assert names(look) == ["a", "b"]


def test_a_commit_interrupted_each_time_is_a_fault(path, look, monkeypatch):
    commits = interrupted(path, monkeypatch, times=100)
    assert isinstance(commits.commit([Change(insert("a"))])[0].error, StorageFault)
    assert names(look) == []
