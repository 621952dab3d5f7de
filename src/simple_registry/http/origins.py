"""The client of a request, and its name for this registry: from headers only if a trusted proxy sent them."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

from simple_registry.http.messages import Request
from simple_registry.networks import is_local, network_of, parse_address
from simple_registry.wire.exchange import Client
from simple_registry.wire.heads import RequestHead

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX: Literal["unix"] = "unix"
"""The peer of a unix socket."""

PROTO = "x-forwarded-proto"
_SCHEMES = frozenset({"http", "https"})

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

    @property
    def is_configured(self) -> bool:
        """Whether the configuration says how clients reach the registry."""
        return self._external_url is not None or self._trusts_unix or bool(self._networks)

    def trusts(self, address: str) -> bool:
        """Return whether an address is that of a trusted proxy."""
        if address == UNIX:
            return self._trusts_unix
        parsed = parse_address(address) if self._networks else None
        return parsed is not None and any(parsed in network for network in self._networks)

    def find_client(self, peer: str, head: RequestHead | None) -> Client:
        """Return the client behind the connection with `peer`, from the head of a request where there is one."""
        if head is None or not self.trusts(peer):
            return self._client(peer)
        return self._client(self._walk(peer, head.headers)[0])

    def origin(self, request: Request) -> str | None:
        """Return scheme and host under which the client reached us, `https://registry.example:5000`, if known.

        A connection without TLS may come from a proxy that does TLS, whose clients must not be sent to a plain origin.
        So `http` needs a trusted proxy that says so, or a client on this machine.
        """
        if self._external_url is not None:
            return self._external_url
        scheme, host = "https" if request.secure else None, request.host
        if self.trusts(request.peer):
            hops = self._walk(request.peer, request.headers)[1]
            forwarded = _of_hop(request.headers.get(PROTO), hops)
            scheme = forwarded if forwarded in _SCHEMES else scheme
            host = _of_hop(request.headers.get("x-forwarded-host"), hops) or host
        elif "https" in _listed(request.headers.get(PROTO, "")):
            scheme = "https"  # believed from any client: at worst it sends itself to an address that does not answer
        if _HOST.fullmatch(host) is None or (scheme is None and not is_local(name_of(host))):
            return None
        return f"{scheme or 'http'}://{host}"

    def _walk(self, peer: str, headers: Mapping[str, str]) -> tuple[str, int]:
        """Return the address of the client behind a trusted peer, and the number of trusted hops from there to us."""
        address, hops = peer, 0
        for hop in reversed(_listed(headers.get("x-forwarded-for", ""))):
            if not self.trusts(address):
                break
            hops += 1
            parsed = parse_address(hop.strip("[]"))
            if parsed is None:
                break
            address = str(parsed)
        return address, hops

    def _client_at(self, address: str) -> Client:
        """Return the client at an address. Those of one IPv6 /64 share an account, since one host has all of it."""
        return Client(address, None if address == UNIX or self.trusts(address) else network_of(address))


def name_of(host: str) -> str:
    """Return a host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _listed(header: str) -> list[str]:
    return [value.strip(" \t").lower() for value in header.split(",")]


def _of_hop(header: str | None, hops: int) -> str | None:
    """Return what the first trusted hop wrote into a header: the value `hops` from the end, or the first one."""
    if not header:
        return None
    values = _listed(header)
    return values[-min(hops, len(values))] or None
