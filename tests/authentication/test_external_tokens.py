"""Tokens of trusted issuers: whose, with which keys, and no longer than both stay as they are."""

import asyncio

import pytest

from simple_registry.access.issuers import KeysFromPem, KeysFromUrl
from simple_registry.authentication import external_tokens as module
from simple_registry.authentication.credentials import InvalidToken
from simple_registry.authentication.external_tokens import ExternalTokens
from simple_registry.authentication.issuer_keys import FRESH, IssuerKeys
from simple_registry.upstream.protocols import UpstreamFault
from support.issuing import EC, ISSUER, NOW, OTHER_RSA, RSA, claims, jwk, jwks, public_pem, token, trusted
from support.time import SettableClock

URL = KeysFromUrl("https://ci.example.com/jwks")
OTHER = trusted(KeysFromPem((public_pem(OTHER_RSA),)), name="other", issuer="https://other.example.com")


class Fetcher:
    def __init__(self):
        self.document = jwks(jwk(RSA, "rsa"))
        self.down = False
        self.fetches = 0

    async def fetch(self, url):
        self.fetches += 1
        if self.down:
            raise UpstreamFault("down")
        return self.document


@pytest.fixture
def clock():
    return SettableClock(NOW)


@pytest.fixture
def fetcher():
    return Fetcher()


@pytest.fixture
def tokens(fetcher, clock):
    return ExternalTokens(IssuerKeys(fetcher, clock), clock)


def verify(tokens, text, *issuers):
    async def scenario():
        try:
            return await tokens.verify(text, issuers or (OTHER, trusted()))
        finally:  # what is asked for in the background is answered
            await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}))

    return asyncio.run(scenario())


def refused(tokens, text, *issuers):
    with pytest.raises(InvalidToken) as caught:
        verify(tokens, text, *issuers)
    return caught.value.note


def test_a_token_is_verified_for_its_own_issuer(tokens):
    verified = verify(tokens, token())
    assert (verified.issuer, verified.claims, verified.expires) == (trusted(), claims(), NOW + 300)


def test_a_token_of_an_unknown_issuer_is_refused_without_a_fetch(tokens, fetcher):
    assert "no TokenIssuer" in refused(tokens, token(iss="https://evil.example"), trusted(URL))
    assert fetcher.fetches == 0


def test_an_issuer_cannot_speak_for_another(tokens):
    refused(tokens, token(OTHER_RSA))
    refused(tokens, token(RSA, iss=OTHER.issuer))


def test_one_of_several_documents_of_an_issuer_is_enough(tokens):
    first = trusted(name="first", audiences=("another",))
    assert verify(tokens, token(), first, trusted()).issuer == trusted()
    assert "audience" in refused(tokens, token(aud="x"), first, trusted())


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "é.é.é", "\ud800.\ud800.\ud800", "x" * 100_000])
def test_text_in_another_form_than_a_token_is_refused(tokens, text):
    refused(tokens, text)


def test_an_issuer_that_is_down_refuses(tokens, fetcher):
    fetcher.down = True
    assert "no keys" in refused(tokens, token(), trusted(URL))


def test_a_token_is_verified_once(tokens, monkeypatch):
    text = token()
    verify(tokens, text)
    monkeypatch.setattr(module, "verify_external", lambda *_: pytest.fail("verified again"))
    assert verify(tokens, text).claims == claims()


def test_expiry_is_returned_every_time(tokens, clock):
    text = token()
    for _ in range(3):
        assert verify(tokens, text).expires == NOW + 300
        clock.advance(301)


def test_tokens_end_with_the_trust_in_their_issuer(tokens):
    text = token()
    verify(tokens, text)
    refused(tokens, text, OTHER)


def test_a_changed_document_of_the_issuer_counts_at_once(tokens):
    text = token()
    verify(tokens, text)
    refused(tokens, text, trusted(audiences=("another",)))
    refused(tokens, text, trusted(algorithms=("ES256",)))
    refused(tokens, text, trusted(KeysFromPem((public_pem(EC),))))
    changed = trusted(user_claim="email")
    assert verify(tokens, text, changed).issuer == changed


def test_a_key_that_the_issuer_dropped_ends_its_tokens(tokens, fetcher, clock):
    text = token(header={"kid": "rsa"}, exp=NOW + 9999)
    verify(tokens, text, trusted(URL))
    fetcher.document = jwks(jwk(OTHER_RSA, "new"))
    clock.advance(FRESH)
    verify(tokens, text, trusted(URL))  # asks
    refused(tokens, text, trusted(URL))


def test_an_issuer_whose_keys_cannot_be_asked_for_is_named(tokens, fetcher, clock):
    issuers = trusted(URL), trusted()
    text = token(header={"kid": "rsa"}, exp=NOW + 9999)
    verify(tokens, text, *issuers)
    assert tokens.stale(issuers) == []
    fetcher.down = True
    clock.advance(FRESH)
    verify(tokens, text, *issuers)
    assert tokens.stale(issuers) == [trusted(URL).name]


def test_refusals_are_not_kept_and_what_is_kept_is_bounded(fetcher, clock, monkeypatch):
    monkeypatch.setattr(module, "VERIFIED_CAPACITY", 3 * 20 * 900)
    tokens = ExternalTokens(IssuerKeys(fetcher, clock), clock)
    for number in range(9):
        verify(tokens, token(jti=str(number)))
        refused(tokens, token(OTHER_RSA, jti=str(number)))
    assert 0 < tokens._verified.size <= 3 * 20 * 900


def test_a_random_kid_does_not_hammer_the_issuer(tokens, fetcher):
    for number in range(100):
        refused(tokens, token(OTHER_RSA, header={"kid": f"{number}"}), trusted(URL))
    assert fetcher.fetches == 1


def test_a_refusal_shows_nothing_of_the_token(tokens):
    text = token(OTHER_RSA, sub="S3CRET")
    note = refused(tokens, text)
    assert "S3CRET" not in note
    assert text[-20:] not in note
    assert ISSUER not in note
