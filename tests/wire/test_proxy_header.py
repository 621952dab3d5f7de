"""Headers of the PROXY protocol."""

import ipaddress
import struct

import pytest
from hypothesis import given, strategies as st

from simple_registry.wire.proxy_header import (
    MAX_HEADER,
    PREFIX,
    SIGNATURE,
    ProxyHeaderInvalid,
    header_size,
    source_address,
)


def header(source, *, command=0x21, family=None, fields=b""):
    address = ipaddress.ip_address(source)
    family = family if family is not None else {4: 0x11, 6: 0x21}[address.version]
    rest = address.packed + address.packed + struct.pack("!HH", 4000, 5000) + fields
    return SIGNATURE + struct.pack("!BBH", command, family, len(rest)) + rest


@pytest.mark.parametrize("source", ["192.0.2.7", "2001:db8::7"])
@pytest.mark.parametrize("fields", [b"", b"\x04\x00\x03abc"])
def test_the_address_of_the_client_is_read(source, fields):
    made = header(source, fields=fields)
    assert header_size(made[:PREFIX]) == len(made)
    assert source_address(made) == source


def test_an_ipv4_mapped_address_becomes_ipv4():
    assert source_address(header("::ffff:192.0.2.7")) == "192.0.2.7"


def test_a_local_header_has_no_client():
    assert source_address(header("192.0.2.7", command=0x20)) is None
    assert source_address(SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)) is None


@pytest.mark.parametrize(
    "made",
    [
        header("192.0.2.7", command=0x11),
        header("192.0.2.7", command=0x22),
        header("192.0.2.7", family=0x12),
        header("192.0.2.7", family=0x31),
        header("192.0.2.7", family=0x21),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 4) + b"\x7f\x00\x00\x01",
    ],
)
def test_other_versions_and_families_are_refused(made):
    with pytest.raises(ProxyHeaderInvalid):
        source_address(made)


def test_a_header_that_is_too_long_is_refused():
    with pytest.raises(ProxyHeaderInvalid):
        header_size(SIGNATURE + struct.pack("!BBH", 0x21, 0x11, MAX_HEADER))


@given(st.binary(min_size=4, max_size=300))
def test_any_bytes_are_parsed_or_refused(rest):
    made = SIGNATURE + rest
    try:
        header_size(made[:PREFIX])
        address = source_address(made)
    except ProxyHeaderInvalid:
        return
    assert address is None or ipaddress.ip_address(address)
