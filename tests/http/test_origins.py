"""Forwarded headers are believed from configured proxies only, and nothing from a client reaches a header unchecked."""

from ipaddress import ip_network

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.bodies import RequestBody
from simple_registry.http.messages import Request
from simple_registry.http.origins import FALLBACK_HOST, Origins

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def request(*, peer="203.0.113.9:4000", host="registry.example:5000", secure=False, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = RequestBody(aiter_of_nothing(), announced=0, timeout=1)
    return Request("GET", "/v2/", "", names, body, "id", peer=peer, host=host, secure=secure)


async def aiter_of_nothing():
    return
    yield


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.1:5000", "192.0.2.1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("[::ffff:192.0.2.1]:5000", "192.0.2.1"),
        ("", ""),
        ("unix", "unix"),
    ],
)
def test_a_client_is_known_by_its_address(peer, address):
    assert Origins().client(peer, {"x-forwarded-for": "198.51.100.1"}) == address


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.1.2.3:1", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3:1", "evil, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.1.2.3:1", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("[fd00::1]:1", "2001:db8::7", "2001:db8::7"),
        ("10.1.2.3:1", "not an address", "10.1.2.3"),
        ("10.1.2.3:1", "", "10.1.2.3"),
        ("203.0.113.9:1", "198.51.100.1", "203.0.113.9"),
    ],
)
def test_forwarded_addresses_count_from_the_last_untrusted_one(peer, forwarded, address):
    assert Origins(trusted=PROXIES).client(peer, {"x-forwarded-for": forwarded}) == address


def test_the_origin_is_what_the_client_called():
    assert Origins().origin(request()) == "http://registry.example:5000"
    assert Origins().origin(request(secure=True, host="[2001:db8::1]:443")) == "https://[2001:db8::1]:443"


def test_a_configured_url_has_the_last_word():
    assert Origins("https://r.example/").origin(request(x_forwarded_host="evil.example")) == "https://r.example"


def test_a_proxy_is_believed_and_a_stranger_is_not():
    headers = {"x_forwarded_proto": "https", "x_forwarded_host": "r.example"}
    origins = Origins(trusted=PROXIES)
    assert origins.origin(request(peer="10.0.0.1:1", **headers)) == "https://r.example"
    assert origins.origin(request(**headers)) == "http://registry.example:5000"


@given(st.text())
def test_no_host_can_break_out_of_a_header(host):
    origin = Origins().origin(request(host=host))
    assert not set(origin) & set('"\r\n\\ ,;')
    assert origin in {f"http://{host}", f"http://{FALLBACK_HOST}"}
