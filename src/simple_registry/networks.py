"""Addresses, and the networks that count as one party: a host with one IPv6 address mostly has a whole /64 of them.

address             network                wide network
203.0.113.7         203.0.113.7            203.0.113.0/24
2001:db8:1:2::9     2001:db8:1:2::/64      2001:db8:1::/48
unix                unix                   unix
"""

import ipaddress
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_CACHED = 4096

_SUBNET = {4: 32, 6: 64}
_SITE = {4: 24, 6: 48}
"""Bits of a network, by the version of IP."""


def parse_address(text: str) -> Address | None:
    """Return an address, or `None` for anything else; an IPv4 address that is written as IPv6 is an IPv4 address."""
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    return (parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None) or parsed


@lru_cache(_CACHED)
def network_of(address: str) -> str:
    """Return the network whose clients count as one."""
    return _network(address, _SUBNET)


@lru_cache(_CACHED)
def wide_network_of(address: str) -> str:
    """Return the network around it, which may be that of one party too."""
    return _network(address, _SITE)


def is_loopback(host: str) -> bool:
    """Return whether a host without its port is a loopback address, or `localhost`."""
    parsed = parse_address(host.strip("[]"))
    return parsed.is_loopback if parsed is not None else host.lower() == "localhost"


def is_local(host: str) -> bool:
    """Return whether clients take a host for this machine: browsers never ask name servers for `*.localhost`.

    Other programs may ask them, so no secret may depend on it.
    """
    return is_loopback(host) or host.lower().endswith(".localhost")


def _network(address: str, bits: dict[int, int]) -> str:
    parsed = parse_address(address)
    if parsed is None:
        return address
    length = bits[parsed.version]
    if length == parsed.max_prefixlen:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, length), strict=False))
