"""Passwords are hashed no more than needed, and a right one is remembered no longer than its hash."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from simple_registry.http import password_verifier
from simple_registry.http.authorization import BasicCredentials
from simple_registry.http.password_verifier import PENDING_LIMIT_OF_CLIENT, VERIFIED_LIFE, PasswordVerifier
from simple_registry.oci.errors import TooManyRequests
from support.time import SettableClock

RIGHT = BasicCredentials("ada", "lovelace")
HASH = "lovelace#"
COST = 4


class Hashing:
    """Stands for bcrypt: a password fits the hash `<password>#`; counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, password, stored, *, cost):
        self.asked.append((password, stored, cost))
        return stored == f"{password}#"


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def hashing():
    return Hashing()


@pytest.fixture
def verifier(hashing, executor, clock):
    return PasswordVerifier(verify=hashing, executor=executor, clock=clock)


async def verify(verifier, credentials, stored, client="192.0.2.1"):
    """Ask as the authenticator does."""
    pending = verifier.pending(credentials, stored)
    if pending is None:
        pending = verifier.start(credentials, stored, cost=COST, client=client)
    return await asyncio.shield(pending)


def test_a_right_password_is_remembered_for_a_while(verifier, clock):
    assert not verifier.remembers(RIGHT, HASH)
    assert asyncio.run(verify(verifier, RIGHT, HASH))
    clock.advance(VERIFIED_LIFE - 1)
    assert verifier.remembers(RIGHT, HASH)
    clock.advance(1)
    assert not verifier.remembers(RIGHT, HASH)


def test_a_wrong_password_is_never_remembered(verifier, hashing):
    wrong = BasicCredentials("ada", "byron")
    for _ in range(3):
        assert not asyncio.run(verify(verifier, wrong, HASH))
        assert not verifier.remembers(wrong, HASH)
    assert len(hashing.asked) == 3


def test_an_unknown_user_costs_a_hash_too(verifier, hashing):
    assert not asyncio.run(verify(verifier, BasicCredentials("bob", "x"), None))
    assert hashing.asked == [("x", None, COST)]


def test_a_changed_or_removed_hash_counts_at_once(verifier):
    assert asyncio.run(verify(verifier, RIGHT, HASH))
    assert not verifier.remembers(RIGHT, "babbage#")
    assert not verifier.remembers(RIGHT, None)
    assert verifier.remembers(RIGHT, HASH)


def test_equal_questions_that_come_together_are_hashed_once(verifier, hashing):
    async def scenario():
        return await asyncio.gather(*(verify(verifier, RIGHT, HASH) for _ in range(50)))

    assert asyncio.run(scenario()) == [True] * 50
    assert len(hashing.asked) == 1


def test_one_client_that_goes_away_takes_the_answer_from_nobody_else(verifier):
    async def scenario():
        first = asyncio.ensure_future(verify(verifier, RIGHT, HASH))
        second = asyncio.ensure_future(verify(verifier, RIGHT, HASH))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scenario())


texts = st.text(st.characters(codec="utf-8"))


@given(texts, texts, texts, texts)
def test_names_passwords_and_hashes_cannot_be_shifted_into_each_other(name, password, other, further):
    verifier = PasswordVerifier(verify=Hashing(), executor=None, clock=SettableClock())
    one = verifier._cache_key(BasicCredentials(name, password), further)
    two = verifier._cache_key(BasicCredentials(name + other, password), further)
    three = verifier._cache_key(BasicCredentials(name, other), password + further)
    assert (one == two) == (not other)
    assert (one == three) == ((password, further) == (other, password + further))


def test_more_logins_than_can_wait_are_asked_to_come_back(verifier, monkeypatch):
    monkeypatch.setattr(password_verifier, "PENDING_LIMIT", 3)

    async def scenario():
        guesses = (
            verify(verifier, BasicCredentials("ada", str(guess)), HASH, f"192.0.2.{guess}") for guess in range(10)
        )
        return await asyncio.gather(*guesses, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert answers[:3] == [False] * 3
    assert all(isinstance(answer, TooManyRequests) for answer in answers[3:])


def test_one_address_has_a_few_logins_pending_and_leaves_room_for_others(verifier):
    async def scenario():
        guesses = (verify(verifier, BasicCredentials(f"user{guess}", "x"), None) for guess in range(540))
        storm = asyncio.gather(*guesses, return_exceptions=True)
        await asyncio.sleep(0)
        assert await verify(verifier, RIGHT, HASH, "198.51.100.9")
        return await storm

    answers = asyncio.run(scenario())
    assert answers[:PENDING_LIMIT_OF_CLIENT] == [False] * PENDING_LIMIT_OF_CLIENT
    assert {answer.facts["retryAfter"] for answer in answers[PENDING_LIMIT_OF_CLIENT:]} == {1}
    assert not verifier._pending_of


def test_remembered_logins_are_bounded(verifier, monkeypatch):
    monkeypatch.setattr(password_verifier, "VERIFIED_LIMIT", 2)
    for number in range(5):
        assert asyncio.run(verify(verifier, BasicCredentials(f"u{number}", "x"), "x#"))
    assert len(verifier._verified) == 2


def test_a_failing_hash_is_not_a_login(executor, clock):
    def broken(_password, _stored, **_how):
        raise RuntimeError("no memory")

    verifier = PasswordVerifier(verify=broken, executor=executor, clock=clock)
    with pytest.raises(RuntimeError):
        asyncio.run(verify(verifier, RIGHT, HASH))
    assert not verifier._pending
    assert not verifier._pending_of
    assert not verifier.remembers(RIGHT, HASH)
