"""Counters of usage in SQLite: exact after whatever changes rows, and cheap to ask."""

import pytest

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.quotas import Allowance, Measure, OfIdentity, OfRepositories, OfRepository
from simple_registry.storage.sqlite.engine.database import Database
from simple_registry.storage.sqlite.rows.usage import MAX_ACCOUNTS, Accounts
from storage.support import REPOSITORY, blob_of, run
from support.actors import ACTOR

BLOB = blob_of(b"0123456789")
COUNTERS = "SELECT blobs, bytes, unneeded_bytes, deleted_bytes FROM usage"
STATES = ("unneeded", "needed", "deleted")


@pytest.fixture
def held(store, look):
    run(store.blobs.add_blob(REPOSITORY, BLOB, removals=0, actor=ACTOR))
    return look


@pytest.mark.parametrize("states", [(one, two) for one in STATES for two in STATES])
def test_every_change_of_a_state_is_counted(held, states):
    for state in states:
        held("UPDATE repository_blobs SET state = ?", state)
    size = BLOB.size
    released = states == ("needed", "unneeded")
    expected = {
        "needed": (1, size, 0, 0),
        "unneeded": (0, 0, size, 0) if released else (1, size, 0, 0),
        "deleted": (0, 0, 0, size),
    }
    assert held(COUNTERS) == [expected[states[-1]]]
    assert held("SELECT blobs, bytes FROM usage_by_identity") == [expected[states[-1]][:2]]


def test_an_ended_holding_is_counted(held):
    for state in STATES:
        held("BEGIN")
        held("UPDATE repository_blobs SET state = ?", state)
        held("DELETE FROM repository_blobs")
        assert held(COUNTERS) == [(0, 0, 0, 0)]
        assert held("SELECT blobs, bytes FROM usage_by_identity") == [(0, 0)]
        held("ROLLBACK")


def test_a_repository_that_ends_has_no_usage(held):
    held("DELETE FROM repository_blobs")
    held("DELETE FROM repositories")
    assert held("SELECT * FROM usage") == []


def test_members_are_matched_once(store, path, clock):
    asked = []
    database = Database(path)

    def matches(name):
        asked.append(name)
        return name.startswith("team/")

    account = OfRepositories("team", matches)
    accounts = Accounts()
    for name in ("team/a", "other"):
        run(store.blobs.add_blob(RepositoryName(name), BLOB, removals=0, actor=ACTOR))
    for _ in range(2):
        accounts.prepare(database, [Allowance("team", account, {})])
    assert asked == ["team/a", "other"]
    run(store.blobs.add_blob(RepositoryName("team/b"), BLOB, removals=0, actor=ACTOR))
    query = lambda sql, bindings: database.rows(sql, *bindings)  # noqa: E731
    assert accounts.amounts(query, account)[Measure.BYTES] == 2 * BLOB.size
    assert asked == ["team/a", "other", "team/b"]
    run(database.close())


def test_a_number_that_is_free_again_is_matched_again(store):
    """A refused push leaves its number to the next repository, whose name is another."""
    account = OfRepositories("team", lambda name: name.startswith("team/"))
    tight = [Allowance("team", account, {Measure.BYTES: 1})]
    run(store.blobs.add_blob(RepositoryName("team/a"), BLOB, removals=0, actor=ACTOR, allowances=tight))
    run(store.blobs.add_blob(RepositoryName("other"), BLOB, removals=0, actor=ACTOR))
    assert run(store.usage.amounts(account))[Measure.BYTES] == 0


def test_cached_accounts_are_bounded(path):
    database, accounts = Database(path), Accounts()
    for number in range(MAX_ACCOUNTS + 5):
        accounts.prepare(database, [Allowance("a", OfRepositories(number, bool), {})])
    assert len(accounts._members) == 5
    run(database.close())


def test_unknown_accounts_use_nothing(store):
    for account in (OfRepository(REPOSITORY), OfIdentity("alice"), OfRepositories("team", bool)):
        assert set(run(store.usage.amounts(account)).values()) == {0}
