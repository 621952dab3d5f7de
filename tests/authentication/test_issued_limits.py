"""Limits of issued tokens: compiled once, apart from the event loop, and kept within a number of bytes."""

import asyncio
import threading

import pytest

from simple_registry.access.limits import GrantInvalid, parse_client_limit
from simple_registry.access.scopes import CLIENT_MEMORY
from simple_registry.authentication import issued_limits
from simple_registry.authentication.issued_limits import CAPACITY, IssuedLimits
from simple_registry.operations.issued_tokens import TokenRow

SCOPES = ("repository:^team/:pull", "repository:^lib/:push")


def row(name="one", scopes=SCOPES):
    return TokenRow(
        token_id=name, secret_hash=b"", owner="ada", description="", created=0.0, expires=None, scopes=scopes
    )


def find(limits, *rows):
    async def scenario():
        return [await limits.find(each) for each in rows]

    return asyncio.run(scenario())


@pytest.fixture
def threads(monkeypatch):
    """Return the names of the threads in which limits were compiled."""
    names = []

    def parse(scopes):
        names.append(threading.current_thread().name)
        return parse_client_limit(scopes)

    monkeypatch.setattr(issued_limits, "parse_client_limit", parse)
    return names


def test_a_token_without_scopes_has_no_limit_and_one_with_none_allows_nothing(threads):
    assert find(IssuedLimits(), row(scopes=None)) == [None]
    assert find(IssuedLimits(), row(scopes=())) == [()]
    assert threads == []


def test_a_limit_is_compiled_once_in_another_thread(threads):
    limits = IssuedLimits()
    one, again = find(limits, row(), row())
    assert one == parse_client_limit(SCOPES)
    assert again is one
    assert len(threads) == 1
    assert threads[0] != threading.main_thread().name


def test_a_limit_follows_the_scopes_of_the_row(threads):
    limits = IssuedLimits()
    one, other = find(limits, row(), row(scopes=SCOPES[:1]))
    assert (len(one), len(other)) == (2, 1)


def test_limits_that_are_kept_are_bounded_by_what_they_may_take(threads):
    limits = IssuedLimits()
    number = CAPACITY // CLIENT_MEMORY // len(SCOPES)
    find(limits, *(row(f"{each}") for each in range(number + 1)))
    find(limits, row(f"{number}"), row("0"))
    assert len(threads) == number + 2


def test_a_limit_that_costs_too_much_is_refused_every_time(threads):
    limits = IssuedLimits()
    for _ in range(2):
        with pytest.raises(GrantInvalid):
            find(limits, row(scopes=(r"repository:(?i)(\pL|\pN){400}x:pull",)))
    assert len(threads) == 2
