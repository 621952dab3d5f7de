"""The order, the eviction and the timeout of waiting logins."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.authentication import login_queue
from simple_registry.authentication.login_memory import PLACES_OF_PAIR, LoginMemory
from simple_registry.authentication.login_queue import MAX_WAIT, LoginQueue, Waiting
from simple_registry.authentication.login_throttle import LoginThrottle
from support.time import SettableClock


@pytest.fixture
def throttle(clock):
    return LoginThrottle(LoginMemory(), clock, lambda _: None)


@pytest.fixture
def queue(throttle):
    return LoginQueue(throttle)


@pytest.fixture
def add(queue, throttle, clock):
    """Let a login wait; return what the one that gave way to it was called."""

    def add(name, client="192.0.2.1", user="ada", *, trusted=False):
        given_way = queue.add(Waiting(throttle.attempt(client, user, trusted=trusted), name), clock.monotonic())
        return given_way and given_way.attached

    return add


def fail(throttle, client, times=1, user="eve"):
    for _ in range(times):
        attempt = throttle.attempt(client, user)
        throttle.end(attempt, throttle.begin(attempt), right=False)


def taken(queue):
    names = []
    while (waiting := queue.take()) is not None:
        names.append(waiting.attached)
    return names


def test_equal_entries_are_taken_in_order_of_arrival(queue, add):
    for name in ("one", "two", "three"):
        add(name)
    assert taken(queue) == ["one", "two", "three"]


def test_after_failures_the_latest_attempt_is_taken_first(queue, add, throttle, clock):
    fail(throttle, "192.0.2.1")
    for name in ("one", "two", "three"):
        add(name)
        clock.advance(0.01)
    assert taken(queue) == ["three", "two", "one"]


def test_the_rank_precedes_the_order(queue, add, throttle):
    fail(throttle, "192.0.2.1")
    add("from where one failed")
    add("from elsewhere", "198.51.100.1")
    add("trusted", trusted=True)
    assert taken(queue) == ["trusted", "from elsewhere", "from where one failed"]


def test_one_without_a_place_lets_others_pass(queue, add, throttle, clock):
    fail(throttle, "192.0.2.1", 12, user="ada")
    add("throttled")
    add("another user", user="grace")
    assert taken(queue) == ["another user"]
    clock.advance(8)
    assert taken(queue) == ["throttled"]


def test_patience_ends(queue, add, clock):
    add("early")
    clock.advance(1)
    add("late")
    clock.advance(MAX_WAIT - 1)
    assert [each.attached for each in queue.expire(clock.monotonic())] == ["early"]
    assert len(queue) == 1


@pytest.mark.parametrize(
    ("waiting", "gives_way"),
    [
        (["10.0.0.1", "10.0.0.1", "203.0.113.1"], 1),  # the newest of the address with most
        (["10.0.0.1", "10.0.0.2", "203.0.113.1"], 1),  # of the /24 with most
        (["2001:db8:0:1::1", "203.0.113.1", "2001:db8:0:1::2"], 2),
        (["2001:db8:0:1::1", "2001:db8:0:2::1", "203.0.113.1"], 1),
        (["10.0.0.1", "203.0.113.1", "198.51.100.1"], 2),
    ],
)
def test_a_full_queue_drops_from_the_network_with_most(add, monkeypatch, waiting, gives_way):
    monkeypatch.setattr(login_queue, "MAX_WAITING", 2)
    assert [add(number, client) for number, client in enumerate(waiting)] == [None, None, gives_way]


def test_networks_with_many_failures_are_evicted_first_and_known_users_last(add, throttle, monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_WAITING", 2)
    fail(throttle, "10.0.0.1", 3)
    known = throttle.attempt("10.0.0.1", "carol")
    throttle.end(known, throttle.begin(known), right=True)
    add("known", "10.0.0.1", "carol")
    add("guess", "10.0.0.1")
    assert add("first", "203.0.113.1") == "guess"
    assert add("second", "203.0.113.1") == "second"
    assert add("trusted", "203.0.113.1", trusted=True) == "first"


def test_excess_guesses_are_refused_even_for_a_known_user(add, throttle, monkeypatch):
    monkeypatch.setattr(login_queue, "MAX_WAITING", PLACES_OF_PAIR + 1)
    known = throttle.attempt("10.0.0.1", "carol")
    throttle.end(known, throttle.begin(known), right=True)
    for number in range(PLACES_OF_PAIR + 1):
        add(f"guess {number}", "10.0.0.1", "carol")
    assert add("first", "203.0.113.1") == f"guess {PLACES_OF_PAIR}"
    assert add("second", "203.0.113.2") == "second"
    assert add("trusted", "10.0.0.1", "carol", trusted=True) == f"guess {PLACES_OF_PAIR - 1}"


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=40))
def test_no_address_keeps_out_one_with_fewer(logins):
    """Whoever gives way comes from an address that has as many waiting as any other."""
    clock = SettableClock()
    throttle = LoginThrottle(LoginMemory(), clock, lambda _: None)
    queue = LoginQueue(throttle)
    waiting = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(login_queue, "MAX_WAITING", 8)
        for number, user in logins:
            client = f"10.{number}.0.1"
            waiting.append(client)
            given_way = queue.add(Waiting(throttle.attempt(client, f"user{user}"), None), 0.0)
            if given_way is not None:
                victim = given_way.attempt.client
                assert waiting.count(victim) == max(map(waiting.count, waiting))
                waiting.remove(victim)
            assert len(queue) <= 8
