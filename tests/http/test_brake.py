"""Guessing is slowed for the pair that guesses, and for nobody else."""

import pytest

from simple_registry.http.brake import FORGET_AFTER, FREE_FAILURES, LONGEST_WAIT, LoginBrake
from simple_registry.oci.errors import TooManyRequests


@pytest.fixture
def brake(clock):
    return LoginBrake(clock)


def fail(brake, times, client="192.0.2.1", user="ada"):
    for _ in range(times):
        brake.failed(client, user)


def wait_of(brake, client="192.0.2.1", user="ada"):
    with pytest.raises(TooManyRequests) as refusal:
        brake.check(client, user)
    return refusal.value.facts["retryAfter"]


def test_the_first_mistakes_are_free(brake):
    fail(brake, FREE_FAILURES - 1)
    brake.check("192.0.2.1", "ada")


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
    brake.check("192.0.2.2", "ada")
    brake.check("192.0.2.1", "grace")


def test_the_wait_ends(brake, clock):
    fail(brake, FREE_FAILURES)
    clock.advance(wait_of(brake))
    brake.check("192.0.2.1", "ada")


def test_a_right_password_wipes_the_slate(brake, clock):
    fail(brake, FREE_FAILURES)
    brake.succeeded("192.0.2.1", "ada")
    fail(brake, FREE_FAILURES - 1)
    brake.check("192.0.2.1", "ada")


def test_old_failures_are_forgotten(brake, clock):
    fail(brake, FREE_FAILURES - 1)
    clock.advance(FORGET_AFTER + 1)
    fail(brake, 1)
    brake.check("192.0.2.1", "ada")


def test_the_log_says_once_that_a_pair_is_braked(brake, caplog):
    fail(brake, FREE_FAILURES + 5)
    assert [record.getMessage() for record in caplog.records] == ["logins are braked"]
    assert caplog.records[0].fields == {"user": "ada", "client": "192.0.2.1", "failures": FREE_FAILURES}


def test_what_is_remembered_is_bounded(brake, monkeypatch):
    monkeypatch.setattr("simple_registry.http.brake.REMEMBERED", 10)
    for number in range(100):
        brake.failed(f"192.0.2.{number}", "ada")
    assert len(brake._failures) == 10
