import pytest
from hypothesis import given, settings, strategies as st

from simple_registry.access import passwords
from simple_registry.access.passwords import (
    PasswordInvalid,
    cost_of,
    hash_password,
    is_password_hash,
    verify_password,
)

FAST = 4
# Of "secret". Written down, since it names tests: test runners need the same names in every process.
GO_HASH = "$2a$04$0JM69lvqa8zZv635XCCIuu/utzaMcFrKmur9pa6cpedYbfNOp7OWe"


def test_a_hash_is_of_form_2b_and_verifies():
    made = hash_password("corréct horse", FAST)
    assert made.startswith("$2b$04$")
    assert is_password_hash(made)
    assert verify_password("corréct horse", made)
    assert not verify_password("correct horse", made)


def test_the_default_cost_is_12():
    assert hash_password("x").startswith("$2b$12$")


@pytest.mark.parametrize("form", ["$2a$", "$2b$", "$2y$"])
def test_hashes_of_every_form_verify(form):
    assert verify_password("secret", form + GO_HASH[4:])


@pytest.mark.parametrize(
    ("password", "reason"),
    [("", "empty"), ("a\0b", "NUL"), ("x" * 73, "73 bytes"), ("é" * 37, "74 bytes"), ("\ud800", "Unicode"),
     ("srt_x", "token"), ("eyJ0.e30.x", "token"), ("eyJ..", "token"), ("eyJ0.e30.x=", "token")],
)  # fmt: skip
def test_a_password_that_bcrypt_would_cut_or_misread_is_refused(password, reason):
    with pytest.raises(PasswordInvalid, match=reason):
        hash_password(password, FAST)
    assert not verify_password(password, GO_HASH, cost=FAST)


def test_72_bytes_are_hashed_whole():
    made = hash_password("x" * 72, FAST)
    assert verify_password("x" * 72, made)
    assert not verify_password("x" * 71 + "y", made)
    assert not verify_password("x" * 73, made)


@pytest.mark.parametrize(
    "text",
    ["", "$2b$", "secret", GO_HASH + "\n", GO_HASH[:-1], GO_HASH + "x", GO_HASH.replace("$2a$", "$2x$"),
     GO_HASH.replace("$04$", "$03$"), GO_HASH.replace("$04$", "$32$"), "$2b$12$" + "z" * 53],
)  # fmt: skip
def test_other_text_is_not_a_password_hash(text):
    assert not is_password_hash(text)


@pytest.mark.parametrize(
    ("password", "password_hash"),
    [("wrong", GO_HASH), ("secret", None), ("secret", "no hash"), ("x" * 73, GO_HASH), ("", GO_HASH)],
)
@pytest.mark.parametrize("cost", [4, 5, 12])
def test_every_refusal_spends_the_cost_of_the_dearest_user(monkeypatch, password, password_hash, cost):
    spent = []
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda _candidate, known: bool(spent.append(known.decode())))
    assert not verify_password(password, password_hash, cost=cost)
    assert all(is_password_hash(known) for known in spent)
    assert sum(2 ** cost_of(known) for known in spent) == 2**cost


def test_no_hash_but_the_users_own_makes_a_password_right(monkeypatch):
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda _candidate, known: known.decode() != GO_HASH)
    assert not verify_password("secret", GO_HASH, cost=12)
    assert not verify_password("secret", None, cost=12)


def test_a_right_password_asks_once(monkeypatch):
    spent = []
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda *given: spent.append(given) or True)
    assert verify_password("secret", GO_HASH, cost=12)
    assert len(spent) == 1


@pytest.mark.parametrize("cost", [4, 10, 12])
def test_an_unknown_user_costs_what_the_known_ones_do(monkeypatch, cost):
    asked = []
    monkeypatch.setattr(passwords.bcrypt, "checkpw", lambda _password, known: bool(asked.append(known.decode())))
    assert not verify_password("secret", None, cost=cost)
    assert is_password_hash(asked[0])
    assert cost_of(asked[0]) == cost


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=80), st.one_of(st.none(), st.text(max_size=70), st.just(GO_HASH)))
def test_verifying_never_raises(password, password_hash):
    assert verify_password(password, password_hash, cost=4) in (True, False)


@pytest.mark.parametrize("password", ["eyJ", "eyJ.x", "xeyJ0.e30.x", "eyJ0.e30.x.y", "sr_x", "SRT_x"])
def test_passwords_that_only_resemble_tokens_are_passwords(password):
    assert verify_password(password, hash_password(password, FAST))
