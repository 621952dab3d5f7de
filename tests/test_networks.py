"""Addresses become networks: one for each IPv4 address, one for each IPv6 /64."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.networks import is_local, is_loopback, network_of, parse_address, wide_network_of


@pytest.mark.parametrize(
    ("address", "network", "wide"),
    [
        ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("::1", "::/64", "::/48"),
        ("unix", "unix", "unix"),
        ("", "", ""),
    ],
)
def test_an_address_belongs_to_a_network_and_a_wide_one(address, network, wide):
    assert (network_of(address), wide_network_of(address)) == (network, wide)


@given(st.ip_addresses())
def test_networks_hold_their_address_and_nothing_else_raises(address):
    network = network_of(str(address)).partition("/")[0]
    assert network_of(network) == network_of(str(address))
    assert wide_network_of(network) == wide_network_of(str(address))


@given(st.text())
def test_other_text_is_not_an_address(text):
    assert parse_address(text) is None or network_of(text)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "[::1]", "::ffff:127.0.0.1"])
def test_names_and_addresses_of_this_machine_are_loopback(host):
    assert is_loopback(host)
    assert is_local(host)


def test_a_name_below_localhost_is_local_only_to_clients():
    assert is_local("registry.localhost")
    assert not is_loopback("registry.localhost")


@pytest.mark.parametrize("host", ["localhost.example", "notlocalhost", "10.0.0.1", "[::2]", "", "unix", "0.0.0.0"])
def test_others_are_not(host):
    assert not is_loopback(host)
    assert not is_local(host)
