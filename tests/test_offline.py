"""Work on a data directory beside its server: what is done there is seen by the server at once."""

import asyncio
import os

import pytest

from simple_registry import app
from simple_registry.access.token_secrets import ISSUED_PREFIX
from simple_registry.clock import SystemClock
from simple_registry.config.settings import Settings
from simple_registry.faults import DatabaseLost, DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.offline import open_fsck, open_tokens, read_scopes
from simple_registry.operations.fsck.findings import Mode
from simple_registry.operations.manifests import Required
from simple_registry.storage.records import ManifestRow
from simple_registry.storage.sqlite.all_rows import rows_of
from simple_registry.storage.sqlite.engine.database import Database


async def create(data_dir):
    async with open_tokens(data_dir) as tokens:
        return await tokens.create("ada", "by hand", expires=None, scopes=None)


def test_a_token_is_created_while_a_server_holds_the_directory(tmp_path):
    claim = app.prepare(Settings(data_dir=tmp_path / "data"))
    try:
        row, secret = asyncio.run(create(tmp_path / "data"))
    finally:
        claim.release()
    assert secret.startswith(ISSUED_PREFIX)
    assert row.owner == "ada"


def test_what_was_created_is_found_the_next_time(tmp_path):
    app.prepare(Settings(data_dir=tmp_path / "data")).release()
    row, secret = asyncio.run(create(tmp_path / "data"))

    async def find():
        async with open_tokens(tmp_path / "data") as tokens:
            return await tokens.find(secret)

    assert asyncio.run(find()).token_id == row.token_id


@pytest.mark.parametrize("made", [False, True])
def test_a_directory_that_is_not_ours_is_refused_and_left_alone(tmp_path, made):
    directory = tmp_path / "other"
    if made:
        directory.mkdir()
    with pytest.raises(StorageFault):
        asyncio.run(create(directory))
    assert directory.exists() is made
    assert not made or not list(directory.iterdir())


async def push(data_dir, repository, tags):
    rows = rows_of(Database(str(data_dir / "registry.db")), SystemClock())
    row = ManifestRow(digest_of(b"{}"), 2, "application/json", None, b"{}", None, ())
    await rows.manifests.put_manifest(repository, row, tags=tags, parts=(), present=lambda _known: True)
    await rows.close()


def test_every_repository_and_tag_is_read_beyond_one_page_while_a_server_holds_the_directory(tmp_path):
    claim = app.prepare(Settings(data_dir=tmp_path / "data"))
    many = [f"t{number:04}" for number in range(2001)]
    try:
        assert asyncio.run(read_scopes(tmp_path / "data")) == []
        asyncio.run(push(tmp_path / "data", "b/many", many))
        asyncio.run(push(tmp_path / "data", "a", []))
        assert asyncio.run(read_scopes(tmp_path / "data")) == ["a", "b/many", *(f"b/many:{tag}" for tag in many)]
    finally:
        claim.release()


def test_repositories_of_a_directory_that_is_not_ours_are_not_read(tmp_path):
    with pytest.raises(StorageFault):
        asyncio.run(read_scopes(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_store_is_checked_while_a_server_holds_the_directory(tmp_path):
    claim = app.prepare(Settings(data_dir=tmp_path / "data"))

    async def check():
        async with open_fsck(tmp_path / "data", required=Required(), mode=Mode(deep=True)) as fsck:
            return [finding async for finding in fsck.run()]

    try:
        assert asyncio.run(check()) == []
        (tmp_path / "data" / "registry.db").write_bytes(b"")
        with pytest.raises(DatabaseLost):
            asyncio.run(check())
    finally:
        claim.release()


async def look(data_dir):
    async with open_fsck(data_dir, required=Required(), mode=Mode()) as fsck:
        return [finding async for finding in fsck.run()]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("work", [create, read_scopes, look])
def test_a_user_who_may_not_look_into_the_directory_is_told_so(tmp_path, work):
    app.prepare(Settings(data_dir=tmp_path / "data")).release()
    os.seteuid(12345)
    try:
        with pytest.raises(DataDirectoryRefused, match="Permission denied; run this as the user to whom"):
            asyncio.run(work(tmp_path / "data"))
    finally:
        os.seteuid(0)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize("work", [create, read_scopes, look])
@pytest.mark.parametrize("planted", ["registry.db.lock", "registry.db-wal", "registry.db-shm", "server.lock"])
def test_root_follows_no_link_of_the_user_whose_directory_it_is(tmp_path, work, planted):
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    app.prepare(Settings(data_dir=data)).release()
    for path in (data, *data.rglob("*")):
        os.chown(path, 12345, 12345)
    (data / planted).unlink(missing_ok=True)
    (data / planted).symlink_to(elsewhere)
    for refused in (lambda: asyncio.run(work(data)), lambda: app.prepare(Settings(data_dir=data))):
        with pytest.raises(DataDirectoryRefused, match="it belongs to the user with id 12345; work on it as that user"):
            refused()
    assert not elsewhere.exists()
