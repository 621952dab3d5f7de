"""The PROXY protocol, version 2: a header in which a TCP proxy passes on the address of its client.

    12 bytes  signature        1 byte  version and command        1 byte  family        2 bytes  length of the rest

Only the addresses are read; the type-length-value fields after them are skipped.
"""

import ipaddress
import struct

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
PREFIX = 16
"""Bytes up to and including the length."""
MAX_HEADER = 1024
"""Bytes of a whole header."""

_LOCAL, _PROXIED = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_SIZES = {_TCP4: 4, _TCP6: 16}


class ProxyHeaderInvalid(ValueError):
    """A malformed or unsupported header; the message is the reason."""


def header_size(prefix: bytes) -> int:
    """Return the size of the header with this prefix, in bytes. The prefix begins with the signature.

    Raises: ProxyHeaderInvalid.
    """
    (length,) = struct.unpack("!H", prefix[14:PREFIX])
    if PREFIX + length > MAX_HEADER:
        raise ProxyHeaderInvalid(f"a PROXY header may have at most {MAX_HEADER} bytes")
    return PREFIX + int(length)


def source_address(header: bytes) -> str | None:
    """Return the address of the client, or `None` if the proxy itself is the client (a health check).

    Raises: ProxyHeaderInvalid.
    """
    command, family = header[12], header[13]
    if command == _LOCAL:
        return None
    size = _SIZES.get(family)
    if command != _PROXIED or size is None:
        raise ProxyHeaderInvalid("a PROXY header of another version or family")
    if len(header) < PREFIX + 2 * size:
        raise ProxyHeaderInvalid("a PROXY header without its addresses")
    return plain_address(str(ipaddress.ip_address(header[PREFIX : PREFIX + size])))


def plain_address(text: str) -> str:
    """Return an address without its zone, and an IPv4-mapped IPv6 address as IPv4."""
    address = ipaddress.ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
