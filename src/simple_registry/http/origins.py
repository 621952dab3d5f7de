"""The client behind a connection, and its name for this registry: from headers, but only from trusted proxies."""

import ipaddress
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from simple_registry.http.messages import Request
from simple_registry.wire.exchange import Client
from simple_registry.wire.heads import RequestHead

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX: Literal["unix"] = "unix"
"""The peer of a unix socket."""

KNOWN = 4096
"""Addresses whose `Client` is cached."""

_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)


class Origins:
    """Resolves clients and origins."""

    def __init__(self, external_url: str | None = None, trusted: Sequence[Network | Literal["unix"]] = ()) -> None:
        """Use `external_url` where it is set; believe `X-Forwarded-*` from `trusted` peers."""
        self._external_url = external_url.rstrip("/") if external_url else None
        self._networks = tuple(each for each in trusted if not isinstance(each, str))
        self._trusts_unix = UNIX in trusted
        self._client = lru_cache(KNOWN)(self._client_at)

    def trusts(self, address: str) -> bool:
        """Return whether an address is that of a trusted proxy."""
        if address == UNIX:
            return self._trusts_unix
        parsed = _parsed(address) if self._networks else None
        return parsed is not None and any(parsed in network for network in self._networks)

    def find_client(self, peer: str, head: RequestHead | None) -> Client:
        """Return the client behind the connection with `peer`, from the head of a request where there is one."""
        client = self._client(peer)
        if head is None or not self.trusts(peer):
            return client
        address = peer
        for hop in reversed(head.headers.get("x-forwarded-for", "").split(",")):
            parsed = _parsed(hop.strip(" \t").strip("[]"))
            if parsed is None:
                break
            address = str(parsed)
            if not self.trusts(address):
                break
        return self._client(address)

    def origin(self, request: Request) -> str | None:
        """Return scheme and host under which the client reached us, `https://registry.example:5000`, if it said."""
        if self._external_url is not None:
            return self._external_url
        scheme, host = "https" if request.secure else "http", request.host
        if self.trusts(request.peer):
            scheme = _last(request.headers.get("x-forwarded-proto")) or scheme
            host = _last(request.headers.get("x-forwarded-host")) or host
        if _HOST.fullmatch(host) is None:
            return None
        return f"{'https' if scheme == 'https' else 'http'}://{host}"

    def _client_at(self, address: str) -> Client:
        """Return the client at an address. Those of one IPv6 network share an account, as one host has all of it."""
        if address == UNIX or self.trusts(address):
            return Client(address, None)
        parsed = _parsed(address)
        if isinstance(parsed, ipaddress.IPv6Address):
            return Client(address, str(ipaddress.ip_network((int(parsed) >> 64 << 64, 64))))
        return Client(address, address)


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(address)
    except ValueError:
        return None


def _last(header: str | None) -> str | None:
    return header.rpartition(",")[2].strip(" \t") if header else None
