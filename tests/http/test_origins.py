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
        ("10.1.2.3", "::ffff:198.51.100.1", "198.51.100.1"),  # nginx on an IPv6 socket writes IPv4 clients so
        ("10.1.2.3", "198.51.100.1, ::ffff:10.9.9.9", "198.51.100.1"),
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
    assert Origins(trusted=PROXIES).origin(request(peer="unix", **headers)) == "https://registry.example:5000"


@pytest.mark.parametrize(
    ("peer", "account"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("10.0.0.1", None),
        ("unix", None),
    ],
)
def test_an_account_is_an_address_or_an_ipv6_network_and_proxies_have_none(peer, account):
    assert Origins(trusted=PROXIES).find_client(peer, None).account == account


@pytest.mark.parametrize("host", ["registry.example:5000", "[2001:db8::1]:443", "localhost"])
def test_the_origin_is_what_the_client_called_over_tls(host):
    assert Origins().origin(request(secure=True, host=host)) == f"https://{host}"


@pytest.mark.parametrize("host", ["localhost", "localhost:5000", "127.0.0.1:5000", "[::1]:5000", "r.localhost"])
def test_a_plain_origin_is_one_of_this_machine(host):
    assert Origins().origin(request(host=host)) == f"http://{host}"


@pytest.mark.parametrize("host", ["registry.example", "registry:5000", "10.0.0.1:5000", "[2001:db8::1]:5000"])
@pytest.mark.parametrize("peer", ["203.0.113.9", "127.0.0.1", "unix", "10.0.0.1"])
def test_a_plain_connection_alone_gives_no_plain_origin(peer, host):
    for origins in (Origins(), Origins(trusted=PROXIES)):
        assert origins.origin(request(peer=peer, host=host)) is None
        assert origins.origin(request(peer=peer, host=host, x_forwarded_proto="ftp")) is None


def test_a_plain_origin_is_one_that_the_configuration_or_a_trusted_proxy_names():
    plain = request(peer="10.0.0.1", x_forwarded_proto="http")
    assert Origins(trusted=PROXIES).origin(plain) == "http://registry.example:5000"
    assert Origins().origin(plain) is None
    assert Origins("http://registry:5000").origin(plain) == "http://registry:5000"


@pytest.mark.parametrize("proto", ["https", "https, http", "http, https", "HTTPS"])
def test_any_peer_may_report_that_a_client_used_tls(proto):
    found = Origins().origin(request(x_forwarded_proto=proto, x_forwarded_host="evil.example"))
    assert found == "https://registry.example:5000"


@pytest.mark.parametrize(
    ("forwarded", "proto", "host", "expected"),
    [
        ("198.51.100.1, 10.0.0.2", "https, http", "r.example, inner", "https://r.example"),
        ("198.51.100.1", "https, http", "r.example, inner", "http://inner"),
        ("198.51.100.1, 10.0.0.2, 10.0.0.3", "https, http", "r.example", "https://r.example"),
        ("198.51.100.1, 10.0.0.2", "ftp, https, http", "evil.example, r.example, inner", "https://r.example"),
        ("", "https", "r.example", "https://r.example"),
        ("10.0.0.3, 10.0.0.2", "https", "", "https://registry.example:5000"),
    ],
)
def test_scheme_and_host_come_from_the_same_hop_as_the_address(forwarded, proto, host, expected):
    headers = {"x_forwarded_for": forwarded, "x_forwarded_proto": proto, "x_forwarded_host": host}
    assert Origins(trusted=PROXIES).origin(request(peer="10.0.0.1", **headers)) == expected


def test_it_is_known_whether_anything_was_configured():
    assert not Origins().is_configured
    assert all(
        each.is_configured for each in (Origins("https://r.example"), Origins(trusted=["unix"]), Origins(None, PROXIES))
    )


def test_a_request_without_a_host_name_has_no_origin():
    assert Origins().origin(request(host="")) is None
    assert Origins(trusted=PROXIES).origin(request(peer="10.0.0.1", x_forwarded_host="a b/c")) is None


def test_a_configured_url_has_the_last_word():
    assert Origins("https://r.example/").origin(request(x_forwarded_host="evil.example")) == "https://r.example"
    assert Origins("https://r.example").origin(request(host="")) == "https://r.example"


def test_only_trusted_proxies_set_the_origin():
    headers = {"x_forwarded_proto": "https", "x_forwarded_host": "r.example"}
    origins = Origins(trusted=PROXIES)
    assert origins.origin(request(peer="10.0.0.1", **headers)) == "https://r.example"
    assert origins.origin(request(**headers)) == "https://registry.example:5000"


@given(st.text())
def test_no_host_can_break_out_of_a_header(host):
    origin = Origins().origin(request(host=host, secure=True))
    assert origin is None or not set(origin) & set('"\r\n\\ ,;')
    assert origin in {f"https://{host}", None}
