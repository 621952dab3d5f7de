"""Under which address a browser reached the registry."""

import pytest

from simple_registry.http.messages import NO_BODY, Request
from simple_registry.http.origins import Origins
from simple_registry.ui.address import Address, address_of


def request(host, *, secure=False, **headers):
    return Request(
        "GET",
        "/",
        "",
        {name.replace("_", "-"): value for name, value in headers.items()},
        NO_BODY,
        "1",
        peer="192.0.2.1",
        host=host,
        secure=secure,
    )


@pytest.mark.parametrize(
    ("asked", "address"),
    [
        (request("r.example", secure=True), Address("https", "r.example")),
        (request("r.example:5000"), Address("http", "r.example:5000")),
        (request("localhost:5000"), Address("http", "localhost:5000")),
        (request("r.example", x_forwarded_proto="https"), Address("https", "r.example")),
    ],
)
def test_scheme_and_host_are_those_of_the_client(asked, address):
    assert address_of(asked, Origins()) == address


def test_the_configured_url_wins():
    assert address_of(request("10.0.0.1"), Origins("https://r.example:8443")) == Address("https", "r.example:8443")


@pytest.mark.parametrize(
    ("address", "port", "trusted"),
    [
        (Address("http", "localhost"), "80", True),
        (Address("https", "r.example"), "443", True),
        (Address("http", "r.example:5000"), "5000", False),
        (Address("http", "[::1]:5000"), "5000", True),
        (Address("http", "[2001:db8::1]"), "80", False),
    ],
)
def test_port_and_trust_follow(address, port, trusted):
    assert (address.port, address.trusted) == (port, trusted)
