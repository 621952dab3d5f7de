"""A wrong header is never anonymous and never a crash."""

from base64 import b64encode

import pytest
from hypothesis import given, strategies as st

from simple_registry.authentication.credentials import (
    NO_CREDENTIALS,
    BasicCredentials,
    BearerCredentials,
    InvalidToken,
    WrongCredentials,
    parse_authorization,
)
from simple_registry.oci.errors import Unauthorized
from support.front import basic
from support.headers import GARBAGE

names = st.text(min_size=1).filter(lambda name: ":" not in name)


@given(names, st.text())
def test_basic_credentials_are_read_as_they_were_written(name, password):
    header = "Basic " + b64encode(f"{name}:{password}".encode()).decode()
    assert parse_authorization(header) == BasicCredentials(name, password)


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC", " Basic"])
def test_the_case_of_the_scheme_is_ignored(scheme):
    assert parse_authorization(f"{scheme} {b64encode(b'ada:x').decode()}") == BasicCredentials("ada", "x")


def test_a_password_may_hold_colons():
    assert parse_authorization(basic("ada", "a:b:c")) == BasicCredentials("ada", "a:b:c")


def test_a_bearer_token_is_taken_as_it_is():
    assert parse_authorization("bearer abc.def-_~+/==") == BearerCredentials("abc.def-_~+/==")


@pytest.mark.parametrize("value", ["", "a b", "a,b", '"a"', "ä", "a=b", "a" * 40_000])
def test_a_malformed_bearer_token_is_an_invalid_token(value):
    with pytest.raises(Unauthorized) as refusal:
        parse_authorization(f"Bearer {value}")
    assert len(value) > 30_000 or isinstance(refusal.value, InvalidToken)


def test_an_empty_name_requires_an_empty_password():
    assert parse_authorization("Basic Og==") == NO_CREDENTIALS
    with pytest.raises(WrongCredentials):
        parse_authorization(basic("", "x"))


@pytest.mark.parametrize("header", GARBAGE)
def test_garbage_is_refused(header):
    with pytest.raises(Unauthorized):
        parse_authorization(header)


@given(st.text())
def test_any_text_is_read_or_refused_and_nothing_worse(text):
    for header in (text, "Basic " + text, "Bearer " + text):
        try:
            credentials = parse_authorization(header)
        except Unauthorized:
            continue
        assert isinstance(credentials, BasicCredentials | BearerCredentials)


def test_credentials_do_not_show_their_secrets():
    assert "secret" not in repr(BasicCredentials("ada", "secret")) + repr(BearerCredentials("secret"))
