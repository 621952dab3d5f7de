"""Guesses get few, their answers late; a right password loses nothing by them."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.authentication.login_memory import PLACES_OF_NETWORK, PLACES_OF_PAIR, KnownLogin, LoginMemory
from simple_registry.authentication.login_throttle import (
    DAY,
    FORGET_AFTER,
    FREE_FAILURES,
    FREE_FAILURES_OF_NETWORK,
    KNOWN_DAYS,
    MAX_CHECK,
    MAX_DELAY,
    LoginThrottle,
)
from support.time import SettableClock

CLIENT = "192.0.2.1"


@pytest.fixture
def kept():
    return []


@pytest.fixture
def throttle(clock, kept):
    return LoginThrottle(LoginMemory(), clock, kept.append)


def login(throttle, user="ada", client=CLIENT, *, right=False):
    """Verify at once; return how long the answer waits."""
    attempt = throttle.attempt(client, user)
    return throttle.end(attempt, throttle.begin(attempt), right=right)


def fail(throttle, times, user="ada", client=CLIENT):
    return [login(throttle, user, client) for _ in range(times)]


def begin(throttle, times=1, user="ada", client=CLIENT):
    """Begin attempts while there is room; return how many began."""
    attempts = [throttle.attempt(client, user) for _ in range(times)]
    return [throttle.begin(each) for each in attempts if throttle.may_begin(each, set())]


def may_begin(throttle, user="ada", client=CLIENT, *, trusted=False):
    return throttle.may_begin(throttle.attempt(client, user, trusted=trusted), set())


def rank(throttle, user="ada", client=CLIENT, *, trusted=False):
    return throttle.rank(throttle.attempt(client, user, trusted=trusted))


# ---------------------------------------------------------------- what an answer waits


def test_the_first_failures_are_free_and_each_further_one_doubles_the_delay_up_to_a_bound(throttle):
    assert fail(throttle, FREE_FAILURES + 5) == [0] * (FREE_FAILURES - 1) + [1, 2, 4, 8, 8, 8]
    assert fail(throttle, 2000)[-1] == MAX_DELAY


def test_a_right_password_never_waits_and_ends_the_count_of_its_user(throttle):
    fail(throttle, FREE_FAILURES + 3)
    assert login(throttle, right=True) == 0
    assert fail(throttle, FREE_FAILURES - 1) == [0] * (FREE_FAILURES - 1)


def test_other_users_and_other_addresses_do_not_wait(throttle):
    fail(throttle, FREE_FAILURES + 3)
    assert login(throttle, "grace") == 0
    assert login(throttle, client="192.0.2.2") == 0


def test_old_failures_are_forgotten(throttle, clock):
    fail(throttle, FREE_FAILURES + 3)
    clock.advance(FORGET_AFTER + 1)
    assert login(throttle) == 0


def test_an_address_that_fails_with_many_users_waits_with_all_of_them(throttle):
    waits = [login(throttle, f"user{number}") for number in range(FREE_FAILURES_OF_NETWORK + 3)]
    assert waits == [0] * (FREE_FAILURES_OF_NETWORK - 1) + [1, 2, 4, 8]
    assert throttle.is_throttled(CLIENT)
    assert not throttle.is_throttled("192.0.2.2")


def test_the_addresses_of_an_ipv6_network_count_as_one(throttle):
    waits = [login(throttle, client=f"2001:db8:0:1::{number:x}") for number in range(FREE_FAILURES)]
    assert waits[-1] == 1
    assert login(throttle, client="2001:db8:0:2::1") == 0


# ---------------------------------------------------------------- places


def test_a_user_has_a_few_places_for_each_network(throttle):
    assert len(begin(throttle, PLACES_OF_PAIR + 3)) == PLACES_OF_PAIR
    assert not may_begin(throttle)
    assert may_begin(throttle, "grace")
    assert may_begin(throttle, client="192.0.2.2")


def test_a_network_has_more_places_over_all_users(throttle):
    started = [begin(throttle, user=f"user{number}") for number in range(PLACES_OF_NETWORK + 5)]
    assert sum(map(len, started)) == PLACES_OF_NETWORK
    assert not may_begin(throttle)


@pytest.mark.parametrize("right", [True, None])
def test_a_place_is_free_once_nothing_wrong_came_of_it(throttle, right):
    attempt = throttle.attempt(CLIENT, "ada")
    (started, *_) = begin(throttle, PLACES_OF_PAIR)
    throttle.end(attempt, started, right=right)
    assert may_begin(throttle)


def test_a_wrong_answer_keeps_its_place_until_it_is_given(throttle, clock):
    fail(throttle, FREE_FAILURES + 2)
    started = begin(throttle, PLACES_OF_PAIR)
    assert len(started) == PLACES_OF_PAIR - 3  # three answers wait: 1, 2 and 4 s
    clock.advance(1)
    assert may_begin(throttle)


def test_the_place_of_a_worker_that_died_is_free_some_time_later(throttle, clock):
    begin(throttle, PLACES_OF_PAIR)
    clock.advance(MAX_CHECK)
    assert may_begin(throttle)


def test_known_users_need_no_place_of_their_network_and_trusted_credentials_none(throttle):
    login(throttle, "carol", right=True)
    for number in range(PLACES_OF_NETWORK):
        begin(throttle, user=f"user{number}")
    assert may_begin(throttle, "carol")
    assert not may_begin(throttle, "dave")
    begin(throttle, PLACES_OF_PAIR, "carol")
    assert not may_begin(throttle, "carol")
    assert may_begin(throttle, "carol", trusted=True)


# ---------------------------------------------------------------- who goes first


def test_trusted_logins_precede_known_ones_and_these_precede_fewest_failures(throttle):
    login(throttle, "carol", right=True)
    fail(throttle, 3)
    fail(throttle, 1, client="198.51.100.1")
    ranks = [
        rank(throttle, trusted=True),
        rank(throttle, "carol"),
        rank(throttle, client="203.0.113.1"),
        rank(throttle, client="198.51.100.2"),  # its neighbour failed
        rank(throttle, "eve", client="198.51.100.1"),
        rank(throttle, client="198.51.100.1"),
        rank(throttle, "eve"),
        rank(throttle),
    ]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_a_user_is_known_where_a_login_succeeded_within_days(throttle, clock):
    login(throttle, right=True)
    assert (rank(throttle)[0], rank(throttle, client="192.0.2.2")[0]) == (1, 2)
    clock.advance(KNOWN_DAYS * DAY)
    assert rank(throttle)[0] == 1
    clock.advance(DAY)
    assert rank(throttle)[0] == 2


def test_one_login_a_day_is_kept_with_its_network_only(throttle, kept, clock):
    today = int(clock.now()) // DAY
    for client in ("192.0.2.1", "192.0.2.1", "2001:db8::1", "2001:db8::2"):
        login(throttle, client=client, right=True)
    assert kept == [KnownLogin("ada", "192.0.2.1", today), KnownLogin("ada", "2001:db8::/64", today)]
    clock.advance(DAY)
    login(throttle, right=True)
    login(throttle, "eve")
    assert kept[2:] == [KnownLogin("ada", "192.0.2.1", today + 1)]


# ---------------------------------------------------------------- in all workers, and in the log


def test_workers_count_together(clock):
    memory = LoginMemory()
    one, two = (LoginThrottle(memory, clock, lambda _: None) for _ in range(2))
    fail(one, FREE_FAILURES - 1)
    assert login(two) == 1
    begin(one, PLACES_OF_PAIR - 1)
    assert not may_begin(two)
    login(two, right=True)
    assert rank(one)[0] == 1


def test_a_throttled_user_or_address_is_logged_once(throttle, caplog):
    fail(throttle, FREE_FAILURES + 5)
    for number in range(FREE_FAILURES_OF_NETWORK):
        login(throttle, f"user{number}")
    assert [record.getMessage() for record in caplog.records] == [
        "login attempts throttled",
        "all login attempts of an address throttled",
    ]
    fields = {"client": CLIENT, "network": CLIENT}
    assert caplog.records[0].fields == fields | {"user": "ada", "failures": FREE_FAILURES}
    assert caplog.records[1].fields == fields | {"failures": FREE_FAILURES_OF_NETWORK}


def test_a_description_counts_and_cuts_long_names(throttle):
    fail(throttle, 2, "a" * 1000)
    fail(throttle, 1)
    described = throttle.describe(throttle.attempt(CLIENT, "a" * 1000))
    assert described == f"throttled: 2 failed logins of '{'a' * 64}' from {CLIENT}, 3 of all users"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.floats(0, 20)), max_size=200))
def test_within_any_minute_a_pair_has_few_wrong_answers(story):
    """Other events: right passwords of other users, pauses, attempts that are abandoned."""
    clock = SettableClock()
    throttle = LoginThrottle(LoginMemory(), clock, lambda _: None)
    moments = []
    for right, user, pause in story:
        clock.advance(pause)
        if right:
            login(throttle, f"user{user}", right=True)
        elif may_begin(throttle):
            login(throttle)
            moments.append(clock.monotonic())
    for moment in moments:
        within = [each for each in moments if moment <= each < moment + 60]
        assert len(within) <= FREE_FAILURES + 3 + PLACES_OF_PAIR * 60 / MAX_DELAY
