"""Maintenance: one worker collects garbage and renews the signing key, round after round."""

import asyncio
import logging

import pytest

from simple_registry.config.settings import GarbageCollection, Journal, Settings
from simple_registry.faults import StorageFault
from simple_registry.maintenance import KEY_LIFE, Maintenance
from simple_registry.operations.collection import Swept
from simple_registry.operations.garbage import Collected
from simple_registry.storage.filesystem.key_file import KeyFile
from support.documents import push_tags
from support.front import Front
from support.stores import in_memory
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


class Taken:
    """Snapshots that are taken when they are asked for."""

    def __init__(self):
        self.count = 0

    def take_if_due(self):
        self.count += 1
        return f"snapshot {self.count}"


def maintain(front, keys, until, snapshots=None):
    """Do maintenance over and over until an event is set."""
    read_only = front.services.registry.read_only
    services, snapshots = front.services, snapshots or Taken()
    maintenance = Maintenance(
        services.garbage,
        services.retention,
        keys,
        read_only,
        front.clock,
        pruning=services.pruning,
        snapshots=snapshots,
        interval=0.001,
    )

    async def scenario():
        rounds = asyncio.create_task(maintenance.run())
        await asyncio.wait_for(until.wait(), 10)
        rounds.cancel()
        await asyncio.gather(rounds, return_exceptions=True)

    front.run(scenario())


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
    clock.advance(KEY_LIFE + 1)
    renewed = asyncio.Event()
    with Front(kept, clock) as front:
        rotate, loop = keys.rotate, front.run(running_loop())

        def rotate_and_report(now, keep):
            rotate(now, keep)
            loop.call_soon_threadsafe(renewed.set)

        monkeypatch.setattr(keys, "rotate", rotate_and_report)
        maintain(front, keys, renewed)
    assert keys.current() != old
    assert keys.find(old.kid) == old


def test_maintenance_takes_snapshots_of_the_database(kept, clock, keys, caplog):
    class Reporting(Taken):
        def take_if_due(self):
            if super().take_if_due() == "snapshot 1":
                return None
            loop.call_soon_threadsafe(taken.set)
            return "the second"

    caplog.set_level(logging.INFO, "simple_registry")
    taken = asyncio.Event()
    with Front(kept, clock) as front:
        loop = front.run(running_loop())
        maintain(front, keys, taken, Reporting())
    assert "a snapshot of the database was taken: the second" in caplog.messages


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
        return Collected(0, 0, Swept())

    with Front(kept, clock) as front, caplog.at_level(logging.ERROR):
        monkeypatch.setattr(front.services.garbage, "collect", collect)
        maintain(front, keys, rounds)
    assert "maintenance failed" in caplog.text


def test_maintenance_waits_in_read_only_mode(kept, clock, keys, monkeypatch):
    collected, looked = asyncio.Event(), asyncio.Event()

    async def collect():
        collected.set()
        return Collected(0, 0, Swept())

    with Front(kept, clock) as front:
        mode = front.services.registry.read_only
        monkeypatch.setattr(front.services.garbage, "collect", collect)
        monkeypatch.setattr(logging.getLogger("simple_registry"), "warning", lambda *_: looked.set())
        front.run(mode.begin("a move"))
        maintain(front, keys, looked)
        assert not collected.is_set()
        front.run(mode.end())
        maintain(front, keys, collected)


def test_maintenance_prunes_the_journal(kept, clock, keys, monkeypatch):
    removed = asyncio.Event()
    prune = kept.stores.rows.journal.prune

    async def pruned(*values, **how):
        if await prune(*values, **how):
            removed.set()

    monkeypatch.setattr(kept.stores.rows.journal, "prune", pruned)
    settings = Settings(garbage_collection=GarbageCollection(grace=60), journal=Journal(keep=600))
    with Front(kept, clock, settings) as front:
        push_tags(front, "a", ["x", "y"])
        clock.advance(601)
        maintain(front, keys, removed)
