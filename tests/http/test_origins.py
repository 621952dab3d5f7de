"""Forwarded headers are believed from configured proxies only, and nothing from a client reaches a header unchecked."""

from ipaddress import ip_network

import pytest
from hypothesis import given, strategies as st

from simple_registry.http.messages import NO_BODY, Request
from simple_registry.http.origins import Origins
from simple_registry.wire.heads import HeadParser

PROXIES = [ip_network("10.0.0.0/8"), ip_network("fd00::/8")]


def request(*, peer="203.0.113.9", host="registry.example:5000", secure=False, **headers):
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("GET", "/v2/", "", names, NO_BODY, "id", peer=peer, host=host, secure=secure)


def head(forwarded):
    return HeadParser().parse(f"GET / HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {forwarded}\r\n\r\n".encode())


def address(origins, peer, forwarded="198.51.100.1"):
    return origins.find_client(peer, head(forwarded)).address


@pytest.mark.parametrize("peer", ["192.0.2.1", "2001:db8::1", "unix"])
def test_a_client_is_known_by_its_address(peer):
    assert address(Origins(), peer) == peer
    assert Origins().find_client(peer, None).address == peer


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("10.1.2.3", "198.51.100.1", "198.51.100.1"),
        ("10.1.2.3", "evil, 198.51.100.1, 10.9.9.9", "198.51.100.1"),
        ("10.1.2.3", "1.1.1.1, 198.51.100.1", "198.51.100.1"),
        ("fd00::1", "2001:db8::7", "2001:db8::7"),
        ("fd00::1", "[2001:db8:0::7]", "2001:db8::7"),
        ("10.1.2.3", "not an address", "10.1.2.3"),
        ("10.1.2.3", "", "10.1.2.3"),
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
    ],
)
def test_forwarded_addresses_count_from_the_last_untrusted_one(peer, forwarded, expected):
    assert address(Origins(trusted=PROXIES), peer, forwarded) == expected


def test_the_peer_of_a_unix_socket_can_be_trusted():
    assert address(Origins(trusted=["unix"]), "unix") == "198.51.100.1"
    assert address(Origins(trusted=PROXIES), "unix") == "unix"
    headers = {"x_forwarded_proto": "https", "x_forwarded_host": "r.example"}
    assert Origins(trusted=["unix"]).origin(request(peer="unix", **headers)) == "https://r.example"
    assert Origins(trusted=PROXIES).origin(request(peer="unix", **headers)) == "http://registry.example:5000"


@pytest.mark.parametrize(
    ("peer", "account"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("10.0.0.1", None),
        ("unix", None),
    ],
)
def test_an_account_is_an_address_or_an_ipv6_network_and_proxies_have_none(peer, account):
    assert Origins(trusted=PROXIES).find_client(peer, None).account == account


def test_the_origin_is_what_the_client_called():
    assert Origins().origin(request()) == "http://registry.example:5000"
    assert Origins().origin(request(secure=True, host="[2001:db8::1]:443")) == "https://[2001:db8::1]:443"


def test_without_a_name_there_is_no_origin():
    assert Origins().origin(request(host="")) is None
    assert Origins(trusted=PROXIES).origin(request(peer="10.0.0.1", x_forwarded_host="a b/c")) is None


def test_a_configured_url_has_the_last_word():
    assert Origins("https://r.example/").origin(request(x_forwarded_host="evil.example")) == "https://r.example"
    assert Origins("https://r.example").origin(request(host="")) == "https://r.example"


def test_a_proxy_is_believed_and_a_stranger_is_not():
    headers = {"x_forwarded_proto": "https", "x_forwarded_host": "r.example"}
    origins = Origins(trusted=PROXIES)
    assert origins.origin(request(peer="10.0.0.1", **headers)) == "https://r.example"
    assert origins.origin(request(**headers)) == "http://registry.example:5000"


@given(st.text())
def test_no_host_can_break_out_of_a_header(host):
    origin = Origins().origin(request(host=host))
    assert origin is None or not set(origin) & set('"\r\n\\ ,;')
    assert origin in {f"http://{host}", None}
