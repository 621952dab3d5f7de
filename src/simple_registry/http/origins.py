"""What the outside calls this registry, and who is on the other end: from headers, but only from trusted proxies."""

import ipaddress
import re
from collections.abc import Mapping, Sequence

from simple_registry.http.messages import Request

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
_MAPPED = "::ffff:"

FALLBACK_HOST = "localhost"
"""Named to clients that say no host, or one that cannot stand in a header."""


class Origins:
    """Resolves addresses and origins."""

    def __init__(self, external_url: str | None = None, trusted: Sequence[Network] = ()) -> None:
        """Use `external_url` where it is set; believe `X-Forwarded-*` from the `trusted` networks."""
        self._external_url = external_url.rstrip("/") if external_url else None
        self._trusted = tuple(trusted)

    def client(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the address of the client behind the connection with `peer` (`address:port`), without its port."""
        address = _address(peer)
        if not self._trusted or not self._trusts(address):
            return address
        for hop in reversed(headers.get("x-forwarded-for", "").split(",")):
            hop_address = hop.strip().strip("[]")
            if _parsed(hop_address) is None:
                break
            address = hop_address
            if not self._trusts(address):
                break
        return address

    def origin(self, request: Request) -> str:
        """Return scheme and host under which the client reached us: `https://registry.example:5000`."""
        if self._external_url is not None:
            return self._external_url
        scheme, host = "https" if request.secure else "http", request.host
        if self._trusted and self._trusts(_address(request.peer)):
            scheme = _last(request.headers.get("x-forwarded-proto")) or scheme
            host = _last(request.headers.get("x-forwarded-host")) or host
        if _HOST.fullmatch(host) is None:
            host = FALLBACK_HOST
        return f"{'https' if scheme == 'https' else 'http'}://{host}"

    def _trusts(self, address: str) -> bool:
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._trusted)


def _address(peer: str) -> str:
    """Return the address of `address:port`; an IPv4 client on an IPv6 socket has its IPv4 address."""
    address = peer.rpartition(":")[0].strip("[]") or peer
    mapped = address.removeprefix(_MAPPED)
    return mapped if "." in mapped else address


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _last(header: str | None) -> str | None:
    return header.rpartition(",")[2].strip() if header else None
