"""Challenges, tokens, and what would lead clients elsewhere."""

import json

import pytest

from simple_registry.doctor.client import Address, Answer, Request
from simple_registry.doctor.session import Challenge, Credentials, Session, foreign, parse_challenge

OWN = Address("https", "r.example", 443)


def test_a_challenge_is_parsed():
    text = 'Bearer realm="https://r/token",service="r", scope="a:b:pull,push"'
    expected = {"realm": "https://r/token", "service": "r", "scope": "a:b:pull,push"}
    assert parse_challenge(text) == Challenge("bearer", expected)
    assert parse_challenge("") == Challenge("", {})


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("/v2/a", None),
        ("https://r.example/token", None),
        ("http://r.example/token", "scheme"),
        ("https://other.example/token", "host"),
        ("https://r.example:5000/", "host"),
        ("https://[", "host"),
    ],
)
def test_urls_that_lead_elsewhere(url, kind):
    assert foreign(OWN, url) == kind


class Registry:
    """Answers as a registry; `lost` is whether `Authorization` does not arrive."""

    address = OWN

    def __init__(self, realm="https://r.example/token", *, lost=False, password="p"):  # noqa: S107
        self.realm, self.lost, self.password = realm, lost, password
        self.asked = []

    def send(self, request, *, timeout=None):
        self.asked.append(request)
        proof = "" if self.lost else request.headers.get("Authorization", "")
        if request.path.startswith("/token"):
            right = proof == Credentials("u", self.password).header
            return Answer(200, {}, json.dumps({"token": "t" if right else "public"}).encode())
        if proof == "Bearer t":
            return Answer(200, {})
        error = ',error="invalid_token"' if proof else ""
        return Answer(401, {"www-authenticate": f'Bearer realm="{self.realm}",service="s"{error}'})


def log_in(registry):
    found = {}
    session = Session(registry, Credentials("u", "p"), found.__setitem__)
    session.log_in(registry.send(Request(method="GET", path="/v2/")), "repository:a:pull,push")
    return session, found


def test_a_token_is_used_for_further_requests():
    registry = Registry()
    session, found = log_in(registry)
    assert found == {}
    assert registry.asked[1].path == "/token?service=s&scope=repository%3Aa%3Apull%2Cpush"
    assert session.ask(Request(method="GET", path="/v2/")).status == 200


@pytest.mark.parametrize(
    ("registry", "faults"),
    [
        (Registry(lost=True), ["authorization-lost"]),
        (Registry(password="other"), ["credentials"]),
        (Registry("http://r.example/token"), ["realm-scheme"]),
        (Registry("https://127.0.0.1:5000/token"), ["realm-host"]),
    ],
)
def test_what_clients_would_stumble_over_is_reported(registry, faults):
    assert list(log_in(registry)[1]) == faults


def test_a_challenge_that_is_lost_is_reported():
    found = {}
    Session(Registry(), None, found.__setitem__).log_in(Answer(401, {}), "repository:a:pull")
    assert list(found) == ["challenge-lost"]


def test_a_password_is_not_shown():
    assert "secret" not in repr(Credentials("u", "secret"))
