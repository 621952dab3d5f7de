"""The services of a registry: what settings, stores and trust make of them."""

import asyncio
import dataclasses

import pytest

from simple_registry.config.settings import AllowMissing
from simple_registry.faults import StorageFault
from simple_registry.services import REQUIRED, Services
from support.front import Front
from support.stores import in_memory
from support.time import SettableClock


@pytest.fixture
def front():
    clock = SettableClock()
    with Front(in_memory(clock), clock, sessions=iter(["first", "second"])) as front:
        yield front


def test_every_setting_of_missing_parts_has_its_requirement():
    assert set(REQUIRED) == set(AllowMissing)


def test_services_are_a_value_without_behaviour_of_their_own():
    assert dataclasses.is_dataclass(Services)
    assert {name for name in vars(Services) if callable(getattr(Services, name)) and name[0] != "_"} == {"close"}


def test_ids_of_sessions_come_from_the_caller(front):
    assert [front.open_session("a").rsplit("/", 1)[1].partition("?")[0] for _ in range(2)] == ["first", "second"]


def test_readiness_reports_rules_that_are_not_those_on_disk(front):
    assert front.services.registry.readiness()["configuration"] == "current"
    front.access.stale = "a file does not load"
    assert front.services.registry.readiness()["configuration"] == "stale"


def test_readiness_fails_with_the_stores(front, monkeypatch):
    def fails():
        raise StorageFault("read rows", "broken")

    monkeypatch.setattr(front.services.stores.content, "check", fails)
    with pytest.raises(StorageFault):
        front.services.registry.readiness()


def test_closed_services_hash_no_more_passwords(front):
    async def close_and_log_in():
        await front.services.close()
        return front.services.authentication.threads.submit(asyncio.sleep, 0)

    with pytest.raises(RuntimeError):
        front.run(close_and_log_in())
