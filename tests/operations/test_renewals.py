"""A HEAD renews the grace of what is unneeded: each time for a caller that may push, once for another."""

import asyncio

import pytest

from simple_registry.operations.renewals import RENEWAL_INTERVAL, Renewals
from simple_registry.storage.life import HoldingEvent, HoldingState
from simple_registry.storage.records import NEEDED, Holding

UNNEEDED = HoldingState.UNNEEDED


def renewed(clock, holding, *, may_push, grace=3600.0):
    """Return the events that a HEAD writes."""
    events = []

    async def write(event):
        events.append(event)

    asyncio.run(Renewals(clock, grace).renew("key", holding, may_push=lambda: may_push, write=write))
    return events


def test_what_is_needed_is_not_renewed(clock):
    assert renewed(clock, NEEDED, may_push=True) == []


@pytest.mark.parametrize(("age", "events"), [(RENEWAL_INTERVAL, [HoldingEvent.ASKED]), (RENEWAL_INTERVAL - 1, [])])
def test_a_caller_that_may_push_gets_another_grace_once_a_minute(clock, age, events):
    assert renewed(clock, Holding(UNNEEDED, clock.now() - age), may_push=True) == events


@pytest.mark.parametrize(("age", "events"), [(10, [HoldingEvent.ASKED]), (9, [])])
def test_a_short_grace_is_renewed_before_it_ends(clock, age, events):
    assert renewed(clock, Holding(UNNEEDED, clock.now() - age), may_push=True, grace=40.0) == events


@pytest.mark.parametrize(("extended", "events"), [(False, [HoldingEvent.SEEN]), (True, [])])
def test_a_caller_that_may_only_pull_gets_one(clock, extended, events):
    assert renewed(clock, Holding(UNNEEDED, clock.now(), extended), may_push=False) == events
