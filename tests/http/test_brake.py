"""Guessing is slowed for the pair that guesses, and for nobody else."""

import pytest

from simple_registry.http.brake import (
    FORGET_AFTER,
    FREE_FAILURES,
    FREE_FAILURES_OF_ADDRESS,
    LONGEST_WAIT,
    LoginBrake,
)
from simple_registry.oci.errors import TooManyRequests


@pytest.fixture
def brake(clock):
    return LoginBrake(clock)


def fail(brake, times, client="192.0.2.1", user="ada"):
    for _ in range(times):
        brake.failed(client, user)


def wait_of(brake, client="192.0.2.1", user="ada"):
    with pytest.raises(TooManyRequests) as refusal:
        brake.begin(client, user)
    return refusal.value.facts["retryAfter"]


def test_the_first_mistakes_are_free(brake):
    fail(brake, FREE_FAILURES - 1)
    brake.begin("192.0.2.1", "ada")


def test_each_further_failure_doubles_the_wait_up_to_a_bound(brake):
    fail(brake, FREE_FAILURES)
    waits = []
    for _ in range(10):
        waits.append(wait_of(brake))
        fail(brake, 1)
    assert waits[:4] == [2, 3, 5, 9]
    assert waits == sorted(waits)
    assert max(waits) == LONGEST_WAIT + 1


def test_only_the_pair_of_address_and_user_waits(brake):
    fail(brake, FREE_FAILURES + 3)
    brake.begin("192.0.2.2", "ada")
    brake.begin("192.0.2.1", "grace")


def test_the_wait_ends(brake, clock):
    fail(brake, FREE_FAILURES)
    clock.advance(wait_of(brake))
    brake.begin("192.0.2.1", "ada")


def test_a_right_password_wipes_the_slate(brake, clock):
    fail(brake, FREE_FAILURES)
    brake.succeeded("192.0.2.1", "ada")
    fail(brake, FREE_FAILURES - 1)
    brake.begin("192.0.2.1", "ada")


def test_old_failures_are_forgotten(brake, clock):
    fail(brake, FREE_FAILURES - 1)
    clock.advance(FORGET_AFTER + 1)
    fail(brake, 1)
    brake.begin("192.0.2.1", "ada")


def test_the_log_says_once_that_a_pair_is_braked(brake, caplog):
    fail(brake, FREE_FAILURES + 5)
    assert [record.getMessage() for record in caplog.records] == ["logins are braked"]
    assert caplog.records[0].fields == {"user": "ada", "client": "192.0.2.1", "failures": FREE_FAILURES}


def test_what_is_remembered_is_bounded(brake, monkeypatch):
    monkeypatch.setattr("simple_registry.http.brake.REMEMBERED", 10)
    for number in range(100):
        brake.failed(f"192.0.2.{number}", "ada" * 10_000)
    assert len(brake._pairs) == len(brake._addresses) == 10
    assert {len(key) for key in brake._pairs._failures} == {32}


def test_attempts_under_way_count_until_they_end(brake):
    for _ in range(FREE_FAILURES):
        brake.begin("192.0.2.1", "ada")
    assert wait_of(brake) == 1
    brake.begin("192.0.2.1", "grace")
    brake.gave_up("192.0.2.1", "ada")
    brake.begin("192.0.2.1", "ada")
    assert wait_of(brake) == 1
    for _ in range(FREE_FAILURES):
        brake.succeeded("192.0.2.1", "ada")
    brake.begin("192.0.2.1", "ada")


def test_after_the_wait_one_may_try_at_a_time(brake, clock):
    fail(brake, FREE_FAILURES)
    clock.advance(wait_of(brake))
    brake.begin("192.0.2.1", "ada")
    assert wait_of(brake) == 1


def test_an_address_that_fails_with_many_users_waits_as_a_whole(brake, clock):
    for number in range(FREE_FAILURES_OF_ADDRESS - 1):
        brake.failed("192.0.2.1", f"user{number}")
    brake.begin("192.0.2.1", "grace")
    brake.failed("192.0.2.1", "grace")
    assert wait_of(brake, user="ada") == 2
    brake.begin("192.0.2.2", "ada")
    clock.advance(2)
    brake.begin("192.0.2.1", "ada")
    brake.succeeded("192.0.2.1", "ada")
    fail(brake, FREE_FAILURES - 1, user="grace")
    brake.begin("192.0.2.1", "hopper")


def test_thousands_of_failures_wait_no_longer_than_the_bound(brake):
    fail(brake, 3000)
    assert wait_of(brake) == LONGEST_WAIT + 1
