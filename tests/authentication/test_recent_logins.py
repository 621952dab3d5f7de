"""A header is recognised for a minute, under the rules that it was proved under, and never kept as it is."""

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


def test_a_header_is_recognised_for_a_minute(logins, clock):
    assert logins.find("Basic x", RULES) is None
    logins.keep("Basic x", RULES, ADA)
    clock.advance(LIFE - 1)
    assert logins.find("Basic x", RULES) == ADA
    assert logins.find("Basic X", RULES) is None
    clock.advance(1)
    assert logins.find("Basic x", RULES) is None


def test_other_rules_know_nobody_and_forget_all(logins):
    other = AccessRules()
    logins.keep("Basic x", RULES, ADA)
    assert logins.find("Basic x", other) is None
    logins.keep("Basic y", other, ADA)
    assert logins.find("Basic y", other) == ADA
    assert logins.find("Basic x", RULES) is None
    assert logins.find("Basic x", other) is None


def test_what_is_known_is_bounded(logins, monkeypatch):
    monkeypatch.setattr(recent_logins, "LIMIT", 10)
    for number in range(25):
        logins.keep(f"Basic {number}", RULES, ADA)
        assert len(logins._known) <= 10
    assert logins.find("Basic 24", RULES) == ADA


def test_a_header_is_not_kept_as_it_is(logins):
    logins.keep("Basic c2VjcmV0", RULES, ADA)
    assert "c2VjcmV0" not in repr(vars(logins))
