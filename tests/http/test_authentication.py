"""Who is calling: a wrong header is never anonymous, never a crash, and passwords are hashed no more than needed."""

import asyncio
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, strategies as st

from simple_registry.access.identity import Identity
from simple_registry.http import authentication
from simple_registry.http.authentication import (
    VERIFIED_LIFE,
    Authenticator,
    BasicCredentials,
    PasswordVerifier,
    parse_basic,
)
from simple_registry.oci.errors import TooManyRequests, Unauthorized
from support.documents import push_image
from support.front import ADMINISTRATOR, PASSWORD, basic

names = st.text(min_size=1).filter(lambda name: ":" not in name)


class Hashing:
    """Stands for bcrypt: a password fits the hash `<password>#`; counts how often it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, password, stored):
        self.asked.append((password, stored))
        return stored == f"{password}#"


@pytest.fixture
def executor():
    with ThreadPoolExecutor(2) as pool:
        yield pool


@pytest.fixture
def hashing():
    return Hashing()


@pytest.fixture
def users():
    return {"ada": "lovelace#"}


@pytest.fixture
def verifier(users, hashing, executor, clock):
    return PasswordVerifier(users, verify=hashing, executor=executor, clock=clock)


# ---------------------------------------------------------------- the header


@given(names, st.text())
def test_basic_credentials_are_read_as_they_were_written(name, password):
    header = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
    assert parse_basic(header) == BasicCredentials(name, password)


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", " Basic"])
def test_the_case_of_the_scheme_means_nothing(scheme):
    assert parse_basic(f"{scheme} {b64encode(b'ada:x').decode()}") == BasicCredentials("ada", "x")


def test_a_password_may_hold_colons():
    assert parse_basic(basic("ada", "a:b:c")).password == "a:b:c"


GARBAGE = [
    "",
    " ",
    "Basic",
    "Basic ",
    "Basic !!!",
    "Basic YWRh",  # no colon
    "Basic OnNlY3JldA==",  # no name
    "Basic YWRhOng",  # no padding
    "Basic YWRh\nOng=",
    "Basic YWRhOng= extra",
    "Basic /////w==",
    "Basic " + b64encode(b"ada:\xff").decode(),
    "Bearer",
    "Bearer abc.def.ghi",
    "Digest username=ada",
    "Negotiate",
    "\u00e4",
    "Basic \u0661\u0662",
    "Basic " + "A" * 100_000,
    "Basic YWRhOng=, Basic YWRhOng=",
    "null",
]


@pytest.mark.parametrize("header", GARBAGE)
def test_garbage_is_refused(header):
    with pytest.raises(Unauthorized):
        parse_basic(header)


@given(st.text())
def test_any_text_is_read_or_refused_and_nothing_worse(text):
    for header in (text, "Basic " + text):
        try:
            credentials = parse_basic(header)
        except Unauthorized:
            continue
        assert credentials.name


# ---------------------------------------------------------------- the whole application


@pytest.mark.parametrize("header", GARBAGE)
def test_garbage_gets_the_challenge_and_is_never_taken_for_anonymous(memory_front, header):
    reply = memory_front.get("/v2/", headers={"authorization": header})
    assert (reply.status, reply.codes) == (401, ["UNAUTHORIZED"])
    assert reply.header("www-authenticate") == 'Basic realm="simple-registry"'


@pytest.mark.parametrize(
    "header",
    [
        basic(ADMINISTRATOR, "wrong"),
        basic("nobody", PASSWORD),
        basic(ADMINISTRATOR, ""),
        basic(ADMINISTRATOR, "x" * 80),
    ],
)
def test_wrong_credentials_get_the_challenge(memory_front, header):
    reply = memory_front.get("/v2/", headers={"authorization": header})
    assert (reply.status, reply.header("www-authenticate")) == (401, 'Basic realm="simple-registry"')


def test_wrong_passwords_and_unknown_users_get_the_same_answer(memory_front):
    wrong = memory_front.get("/v2/", headers={"authorization": basic(ADMINISTRATOR, "wrong")})
    unknown = memory_front.get("/v2/", headers={"authorization": basic("nobody", "wrong")})
    assert wrong.stable_headers == unknown.stable_headers
    assert wrong.json["errors"] == unknown.json["errors"]


def test_two_authorization_headers_are_garbage(memory_front):
    twice = [("authorization", basic(ADMINISTRATOR, PASSWORD))] * 2
    assert memory_front.get("/v2/", headers=twice).status == 401


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_who_is_unknown_learns_nothing_and_changes_nothing(front, method):
    data = push_image(front, "team/app", "v1")
    with front.unchanged():
        for path in ("/v2/team/app/manifests/v1", "/v2/team/app/manifests/none", "/v2/none/manifests/v1"):
            reply = front.request(method, path, user=None, body=data if method == "PUT" else b"")
            assert reply.status == 401


# ---------------------------------------------------------------- hashing


def test_a_right_password_is_hashed_once_for_a_while(verifier, hashing, clock):
    async def login():
        return await verifier.verify(BasicCredentials("ada", "lovelace"))

    async def scenario():
        assert await login()
        assert await login()
        clock.advance(VERIFIED_LIFE - 1)
        assert await login()
        assert len(hashing.asked) == 1
        clock.advance(2)
        assert await login()
        assert len(hashing.asked) == 2

    asyncio.run(scenario())


def test_a_wrong_password_is_hashed_every_time(verifier, hashing):
    async def scenario():
        for _ in range(3):
            assert not await verifier.verify(BasicCredentials("ada", "byron"))

    asyncio.run(scenario())
    assert len(hashing.asked) == 3


def test_an_unknown_user_costs_a_hash_too(verifier, hashing):
    assert not asyncio.run(verifier.verify(BasicCredentials("bob", "x")))
    assert hashing.asked == [("x", None)]


def test_a_changed_or_removed_hash_counts_at_once(verifier, users):
    async def scenario():
        assert await verifier.verify(BasicCredentials("ada", "lovelace"))
        users["ada"] = "babbage#"
        assert not await verifier.verify(BasicCredentials("ada", "lovelace"))
        del users["ada"]
        assert not await verifier.verify(BasicCredentials("ada", "babbage"))

    asyncio.run(scenario())


def test_equal_questions_that_come_together_are_hashed_once(verifier, hashing):
    async def scenario():
        return await asyncio.gather(*(verifier.verify(BasicCredentials("ada", "lovelace")) for _ in range(50)))

    assert asyncio.run(scenario()) == [True] * 50
    assert len(hashing.asked) == 1


def test_one_client_that_goes_away_takes_the_answer_from_nobody_else(verifier):
    async def scenario():
        first = asyncio.ensure_future(verifier.verify(BasicCredentials("ada", "lovelace")))
        second = asyncio.ensure_future(verifier.verify(BasicCredentials("ada", "lovelace")))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scenario())


def test_names_and_passwords_cannot_be_shifted_into_each_other(users, hashing, verifier):
    users["a"] = "bc#"

    async def scenario():
        assert await verifier.verify(BasicCredentials("a", "bc"))
        assert not await verifier.verify(BasicCredentials("ab", "c"))

    asyncio.run(scenario())
    assert len(hashing.asked) == 2


def test_more_logins_than_can_wait_are_asked_to_come_back(verifier, monkeypatch):
    monkeypatch.setattr(authentication, "PENDING_LIMIT", 3)

    async def scenario():
        guesses = (verifier.verify(BasicCredentials("ada", str(guess))) for guess in range(10))
        return await asyncio.gather(*guesses, return_exceptions=True)

    answers = asyncio.run(scenario())
    assert answers[:3] == [False] * 3
    assert all(isinstance(answer, TooManyRequests) for answer in answers[3:])


def test_remembered_logins_are_bounded(verifier, users, monkeypatch):
    monkeypatch.setattr(authentication, "VERIFIED_LIMIT", 2)
    users |= {f"u{number}": "x#" for number in range(5)}

    async def scenario():
        for number in range(5):
            assert await verifier.verify(BasicCredentials(f"u{number}", "x"))

    asyncio.run(scenario())
    assert len(verifier._verified) == 2


def test_a_failing_hash_is_not_a_login(users, executor, clock):
    def broken(_password, _stored):
        raise RuntimeError("no memory")

    verifier = PasswordVerifier(users, verify=broken, executor=executor, clock=clock)
    with pytest.raises(RuntimeError):
        asyncio.run(verifier.verify(BasicCredentials("ada", "lovelace")))
    assert not verifier._pending


def test_a_verified_name_becomes_an_identity(verifier):
    authenticator = Authenticator(verifier)
    assert asyncio.run(authenticator.authenticate(basic("ada", "lovelace"))) == Identity("ada")


@pytest.mark.parametrize("header", [None, basic("ada", "byron"), basic("bob", "lovelace"), "Bearer x"])
def test_everybody_else_is_refused(verifier, header):
    with pytest.raises(Unauthorized):
        asyncio.run(Authenticator(verifier).authenticate(header))
