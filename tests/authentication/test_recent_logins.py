"""A header is cached for a minute, under one set of rules, and never kept as it is."""

import pytest

from simple_registry.access.caller import Caller, Identity, Proof, Source
from simple_registry.access.rules import AccessRules
from simple_registry.authentication import recent_logins
from simple_registry.authentication.recent_logins import LIFE, RecentLogins

ADA = Caller(Identity("ada"), Proof(Source.PASSWORD, "f"))
RULES = AccessRules()


@pytest.fixture
def logins(clock):
    return RecentLogins(clock)


def test_a_header_is_cached_for_a_minute(logins, clock):
    assert logins.find("Basic x", RULES) is None
    logins.keep("Basic x", RULES, ADA)
    clock.advance(LIFE - 1)
    assert logins.find("Basic x", RULES) == ADA
    assert logins.find("Basic X", RULES) is None
    clock.advance(1)
    assert logins.find("Basic x", RULES) is None


def test_other_rules_empty_the_cache(logins):
    other = AccessRules()
    logins.keep("Basic x", RULES, ADA)
    assert logins.find("Basic x", other) is None
    logins.keep("Basic y", other, ADA)
    assert logins.find("Basic y", other) == ADA
    assert logins.find("Basic x", RULES) is None
    assert logins.find("Basic x", other) is None


def test_the_number_of_headers_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(recent_logins, "MAX_HEADERS", 10)
    logins = RecentLogins(clock)
    for number in range(25):
        logins.keep(f"Basic {number}", RULES, ADA)
    assert [number for number in range(25) if logins.find(f"Basic {number}", RULES)] == list(range(15, 25))


def test_a_header_is_not_kept_as_it_is(logins):
    logins.keep("Basic c2VjcmV0", RULES, ADA)
    assert "c2VjcmV0" not in repr(vars(logins))
