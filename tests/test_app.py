"""The composition root: settings reach the layers, and what was built starts and stops."""

import asyncio
import logging

import pytest

from simple_registry import app
from simple_registry.config.settings import Administrator, GarbageCollection, Secret, Settings
from simple_registry.faults import DataDirectoryRefused, StorageFault
from simple_registry.oci.digests import digest_of
from simple_registry.operations.garbage import Collected
from support.front import PASSWORD_HASH, Front
from support.stores import Kept, in_memory
from support.time import SettableClock

OFTEN = Settings(garbage_collection=GarbageCollection(interval=0.001, grace=60))


@pytest.fixture
def clock():
    return SettableClock()


@pytest.fixture
def kept(clock):
    return in_memory(clock)


def test_a_registry_without_an_administrator_lets_nobody_in(kept, clock):
    application = app.RegistryApplication(Settings(), kept.stores, clock, maintain=False)
    with Front(kept, clock) as front:
        front.run(front.application.stop())
        front.application = application
        assert front.get("/v2/").status == 401
        assert front.get("/v2/", user="", password="").status == 401
        assert front.get("/healthz", user=None).status == 200


def test_one_worker_collects_garbage_until_it_is_stopped(kept, clock, monkeypatch):
    with Front(kept, clock) as front:
        digest = front.push_blob("a", b"x")
        front.delete(f"/v2/a/blobs/{digest}")
    clock.advance(61)
    application = app.RegistryApplication(OFTEN, kept.stores, clock, maintain=True)

    async def scenario():
        removed = asyncio.Event()
        monkeypatch.setattr(kept.stores.content, "remove", lambda _digest: removed.set())
        await application.start()
        await removed.wait()
        await application.stop()

    asyncio.run(asyncio.wait_for(scenario(), 10))


def test_the_other_workers_do_not(kept, clock, monkeypatch):
    application = app.RegistryApplication(OFTEN, kept.stores, clock, maintain=False)

    async def scenario():
        monkeypatch.setattr(application.garbage, "collect", None)
        await application.start()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1
        await application.stop()

    asyncio.run(scenario())


def test_a_round_that_fails_is_logged_and_followed_by_another(kept, clock, monkeypatch, caplog):
    application = app.RegistryApplication(OFTEN, kept.stores, clock, maintain=True)
    rounds = asyncio.Event()
    failures = iter([StorageFault("read rows", "broken")])

    async def collect():
        for failure in failures:
            raise failure
        rounds.set()
        return Collected(sessions=0, contents=0)

    async def scenario():
        monkeypatch.setattr(application.garbage, "collect", collect)
        await application.start()
        await rounds.wait()
        await application.stop()

    with caplog.at_level(logging.ERROR):
        asyncio.run(asyncio.wait_for(scenario(), 10))
    assert "garbage collection failed" in caplog.text


def test_what_a_worker_builds_serves_from_the_prepared_directory(tmp_path):
    settings = Settings(data_dir=tmp_path / "data", administrator=Administrator("admin", Secret(PASSWORD_HASH)))
    claim = app.prepare(settings)
    try:
        for worker in (0, 1):
            application = app.build(settings, worker)
            clock = SettableClock()
            with Front(Kept(application._stores, lambda: None), clock, settings) as front:
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
