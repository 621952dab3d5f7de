"""The local backend: a data directory claimed by one server, and opened by commands at the same time."""

import asyncio
import os

import pytest

from simple_registry.backends import local
from simple_registry.clock import SystemClock
from simple_registry.faults import DatabaseLost, DataDirectoryRefused, StorageFault
from simple_registry.operations.fsck.findings import Mode
from simple_registry.operations.fsck.run import Fsck
from simple_registry.operations.manifests import Required
from simple_registry.services import build_tokens
from simple_registry.storage.sqlite.engine import migrate


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "data"


async def create(data_dir):
    async with local.stores_for_command(data_dir) as stores:
        return await build_tokens(stores, SystemClock()).create("ada", "by hand", expires=None, scopes=None)


async def check(data_dir):
    async with local.inspection_for_command(data_dir) as inspection:
        fsck = Fsck(inspection, clock=SystemClock(), required=Required(), mode=Mode(deep=True))
        return [finding async for finding in fsck.run()]


COMMANDS = pytest.mark.parametrize("command", [create, check])


def test_a_directory_is_claimed_by_one_server_at_a_time(data_dir):
    claim = local.claim(data_dir)
    with pytest.raises(DataDirectoryRefused):
        local.claim(data_dir)
    claim.release()
    local.claim(data_dir).release()


@pytest.mark.parametrize("make_keys", [False, True])
def test_signing_keys_are_made_unless_the_operator_gave_one(data_dir, make_keys):
    local.claim(data_dir, make_keys=make_keys).release()
    assert (data_dir / "signing-keys.json").exists() is make_keys


def test_an_upgrade_is_announced(data_dir, monkeypatch):
    steps, calls = migrate.migrations(), []
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: steps[:5])
        local.claim(data_dir, upgrading=lambda: calls.append("new")).release()
    for _start in range(2):
        local.claim(data_dir, upgrading=lambda: calls.append("old")).release()
    assert calls == ["old"]


def test_a_command_beside_a_server_changes_what_the_next_one_reads(data_dir):
    claim = local.claim(data_dir)
    try:
        row, secret = asyncio.run(create(data_dir))
    finally:
        claim.release()

    async def find():
        async with local.stores_for_command(data_dir) as stores:
            return await build_tokens(stores, SystemClock()).find(secret)

    assert asyncio.run(find()) == row


def test_a_directory_is_checked_while_a_server_holds_it(data_dir):
    claim = local.claim(data_dir)
    try:
        assert asyncio.run(check(data_dir)) == []
        (data_dir / "registry.db").write_bytes(b"")
        with pytest.raises(DatabaseLost):
            asyncio.run(check(data_dir))
    finally:
        claim.release()


@COMMANDS
@pytest.mark.parametrize("exists", [False, True])
def test_a_directory_that_no_server_made_is_refused_unchanged(tmp_path, command, exists):
    directory = tmp_path / "other"
    if exists:
        directory.mkdir()
    with pytest.raises(StorageFault):
        asyncio.run(command(directory))
    assert directory.exists() is exists
    assert not exists or not list(directory.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@COMMANDS
def test_a_user_without_access_to_the_directory_is_refused(data_dir, command):
    local.claim(data_dir).release()
    os.seteuid(12345)
    try:
        with pytest.raises(DataDirectoryRefused, match="Permission denied; run this as the user to whom"):
            asyncio.run(command(data_dir))
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@COMMANDS
@pytest.mark.parametrize("planted", ["registry.db.lock", "registry.db-wal", "registry.db-shm", "server.lock"])
def test_root_follows_no_link_that_the_owner_of_the_directory_planted(data_dir, tmp_path, command, planted):
    elsewhere = tmp_path / "elsewhere"
    local.claim(data_dir).release()
    for path in (data_dir, *data_dir.rglob("*")):
        os.chown(path, 12345, 12345)
    (data_dir / planted).unlink(missing_ok=True)
    (data_dir / planted).symlink_to(elsewhere)
    for refused in (lambda: asyncio.run(command(data_dir)), lambda: local.claim(data_dir)):
        with pytest.raises(DataDirectoryRefused, match="it belongs to the user with id 12345; work on it as that user"):
            refused()
    assert not elsewhere.exists()


def test_a_directory_is_made_unless_there_is_one_perhaps_in_use(data_dir):
    local.make(data_dir)
    claim = local.claim(data_dir)
    local.make(data_dir)
    claim.release()
    assert asyncio.run(create(data_dir))


def test_a_directory_whose_making_was_interrupted_is_completed(data_dir, monkeypatch):
    steps = migrate.migrations()
    for done in (0, 3):
        monkeypatch.setattr(migrate, "migrations", lambda done=done: steps[:done])
        local.make(data_dir)
    monkeypatch.undo()
    with pytest.raises(StorageFault):
        asyncio.run(create(data_dir))
    local.make(data_dir)
    assert asyncio.run(create(data_dir))


def test_a_directory_of_an_older_version_is_left_to_its_server(data_dir, monkeypatch):
    steps = migrate.migrations()
    monkeypatch.setattr(migrate, "migrations", lambda: steps[:-1])
    local.claim(data_dir).release()
    monkeypatch.undo()
    before = (data_dir / "registry.db").read_bytes()
    local.make(data_dir)
    assert (data_dir / "registry.db").read_bytes() == before


def test_a_directory_of_another_program_is_not_made_ours(data_dir):
    data_dir.mkdir()
    (data_dir / "file").write_text("x")
    with pytest.raises(DataDirectoryRefused):
        local.make(data_dir)
    assert [path.name for path in data_dir.iterdir()] == ["file"]
