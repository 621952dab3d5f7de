"""The composition root: settings reach the layers, and what was built starts and stops."""

import asyncio
import logging

import pytest

from simple_registry import app
from simple_registry.access.rules import AccessRules
from simple_registry.config.configured import Configured, follow_documents
from simple_registry.config.settings import Administrator, GarbageCollection, Settings
from simple_registry.config.values import Secret
from simple_registry.faults import DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.garbage import Collected
from simple_registry.storage.filesystem.key_file import KeyFile
from support.front import PASSWORD_HASH, Front
from support.stores import behind, in_memory
from support.time import SettableClock


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def kept(clock):
    return in_memory(clock)


@pytest.fixture
def keys(tmp_path, clock):
    return KeyFile(str(tmp_path / "keys"), clock)


def configured(settings):
    return Configured(settings, follow_documents(settings.config_dirs, settings.administrator))


def maintain(front, keys, until):
    """Do maintenance over and over until an event is set."""
    work = app.Maintenance(front.application.garbage, keys, front.clock, interval=0.001)

    async def scenario():
        front.application.background.append(work)
        await front.application.start()
        await asyncio.wait_for(until.wait(), 10)

    front.run(scenario())


def test_a_registry_without_users_lets_nobody_in(kept, clock):
    with Front(kept, clock, rules=AccessRules()) as front:
        assert front.get("/v2/").status == 401
        assert front.get("/v2/", user="", password="").status == 401
        assert front.get("/healthz", user=None).status == 200


def test_maintenance_collects_garbage(kept, clock, keys, monkeypatch):
    removed = asyncio.Event()
    monkeypatch.setattr(kept.stores.content, "remove", lambda _digest: removed.set())
    with Front(kept, clock, Settings(garbage_collection=GarbageCollection(grace=60))) as front:
        digest = front.push_blob("a", b"x")
        front.delete(f"/v2/a/blobs/{digest}")
        clock.advance(61)
        maintain(front, keys, removed)


def test_maintenance_renews_a_signing_key_in_time_and_keeps_the_old_one(kept, clock, keys, monkeypatch):
    old = keys.current()
    clock.advance(app.KEY_LIFE + 1)
    renewed = asyncio.Event()
    with Front(kept, clock) as front:
        original = keys.rotate
        loop = front.run(running_loop())

        def rotate(now, keep):
            original(now, keep)
            loop.call_soon_threadsafe(renewed.set)

        monkeypatch.setattr(keys, "rotate", rotate)
        maintain(front, keys, renewed)
    assert keys.current() != old
    assert keys.find(old.kid) == old


async def running_loop():
    return asyncio.get_running_loop()


@pytest.mark.parametrize("failure", [StorageFault("read rows", "broken"), ValueError("a defect")])
def test_a_round_that_fails_is_logged_and_followed_by_another(kept, clock, keys, monkeypatch, caplog, failure):
    failures = iter([failure])
    rounds = asyncio.Event()

    async def collect():
        for each in failures:
            raise each
        rounds.set()
        return Collected(sessions=0, contents=0)

    with Front(kept, clock) as front, caplog.at_level(logging.ERROR):
        monkeypatch.setattr(front.application.garbage, "collect", collect)
        maintain(front, keys, rounds)
    assert "maintenance failed" in caplog.text


def test_only_one_worker_does_maintenance(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    claim = app.prepare(settings)
    try:
        kinds = [
            [type(work).__name__ for work in app.build(configured(settings), worker).background] for worker in (0, 1)
        ]
    finally:
        claim.release()
    assert kinds == [["Measures", "LiveAccess", "KeyRefresh", "Maintenance"], ["Measures", "LiveAccess", "KeyRefresh"]]


def test_what_a_worker_builds_serves_from_the_prepared_directory(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", administrator=Administrator("admin", Secret(PASSWORD_HASH)))
    claim = app.prepare(settings)
    try:
        for worker in (0, 1):
            application = app.build(configured(settings), worker)
            clock = SettableClock()
            with Front(behind(application._stores), clock, settings) as front:
                if worker == 0:
                    front.push_blob("a", b"kept")
                assert front.get(f"/v2/a/blobs/{digest_of(b'kept')}").body == b"kept"
    finally:
        claim.release()


def test_a_directory_is_prepared_for_one_server_at_a_time(tmp_path):
    settings = Settings(data_dir=tmp_path / "data")
    claim = app.prepare(settings)
    with pytest.raises(DataDirectoryRefused):
        app.prepare(settings)
    claim.release()
    app.prepare(settings).release()


def test_stopping_gives_up_what_was_asked_of_issuers(kept, clock, monkeypatch):
    closed = []
    with Front(kept, clock) as front:

        async def close():
            closed.append(True)

        monkeypatch.setattr(front.application._external, "close", close)
    assert closed == [True]
