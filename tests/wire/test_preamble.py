"""PROXY headers and TLS handshakes, before the first request."""

import contextlib
import ipaddress
import json
import os
import socket
import ssl
import struct
import time
import warnings

import pytest

from harness.certificates import issue
from simple_registry.config.tls import Certificate
from simple_registry.server.live_certificate import tls_context
from simple_registry.wire.limits import WireLimits
from simple_registry.wire.preamble import Preamble
from simple_registry.wire.proxy_header import SIGNATURE
from support.wire import get, put, read_all, read_answer, split

MIB = 1024 * 1024
PROXIED = SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 12) + bytes([198, 51, 100, 7, 127, 0, 0, 1]) + bytes(4)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return issue(tmp_path_factory.mktemp("tls"))


def server_context(certificates):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    return context


@pytest.fixture
def tls(make_wire, certificates):
    context = server_context(certificates)
    return make_wire(WireLimits(handshake_timeout=1.0), tls=lambda: context)


@contextlib.contextmanager
def secure(wire, certificates, version=None, before=b"", opened=None):
    context = ssl.create_default_context(cafile=certificates.authority)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    sock = opened or wire.connect()
    sock.sendall(before)
    with context.wrap_socket(sock, server_hostname="127.0.0.1") as wrapped:
        yield wrapped


# --- TLS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_requests_are_served_one_after_another(tls, certificates, version):
    with secure(tls, certificates, version) as sock:
        for number in range(3):
            sock.sendall(put("/echo", b"%d" % number))
            assert json.loads(read_answer(sock)[2])["body"] == str(number)


def test_a_request_of_a_connection_that_was_just_accepted_is_answered(tls, certificates):
    opened = tls.connect()
    tls.until(lambda: tls.server.connections == 1)
    tls.call(tls.server.stop)
    with secure(tls, certificates, opened=opened) as sock:
        sock.sendall(put("/echo", b"body"))
        status, headers, _ = read_answer(sock)
        assert (status, headers["connection"]) == (200, "close")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_large_bodies_and_answers_arrive_completely(tls, certificates, tmp_path, version):
    data = os.urandom(20 * MIB)
    tls.application.path, tls.application.size = tmp_path / "file", len(data)
    tls.application.path.write_bytes(data)
    with secure(tls, certificates, version) as sock:
        sock.sendall(put("/echo", data))
        assert json.loads(read_answer(sock)[2])["body"] == len(data)
        sock.sendall(get("/file"))
        assert read_answer(sock)[2] == data
        sock.sendall(get("/parts"))
        assert read_answer(sock)[2] == b"begin" + data[1:-1] + b"end"


def test_a_slow_reader_gets_every_byte(tls, certificates, tmp_path):
    data = os.urandom(3 * MIB)
    tls.application.path, tls.application.size = tmp_path / "file", len(data)
    tls.application.path.write_bytes(data)
    with secure(tls, certificates) as sock:
        sock.sendall(get("/file", close=True))
        time.sleep(0.3)
        found = b""
        while piece := sock.recv(30_000):
            found += piece
            time.sleep(0.001)
    assert split(found)[2] == data


def test_a_body_that_breaks_off_is_never_complete(tls, certificates):
    with secure(tls, certificates) as sock:
        sock.sendall(put("/echo", b"half", length=8))
    tls.until(lambda: tls.application.interrupted)
    assert tls.application.whole == []


def test_a_client_that_sent_close_notify_is_answered(tls, certificates):
    with secure(tls, certificates) as sock:
        sock.sendall(get("/slow"))
        with contextlib.suppress(OSError):
            sock.settimeout(0.05)
            sock.unwrap()  # sends close_notify, and waits for the one of the server
        tls.until(lambda: tls.application.whole == ["/slow"])


def test_a_plain_request_on_a_tls_port_is_answered_in_plain_http(tls):
    status, _, body = split(tls.send(get("/echo")))
    assert (status, json.loads(body)["refused"]) == (400, "this port speaks TLS; use https")


def test_a_handshake_on_a_plain_port_is_answered_at_once(wire, certificates):
    with pytest.raises(ssl.SSLError), secure(wire, certificates):
        pass
    assert wire.works()


@pytest.mark.parametrize("begin", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"\x16" + b"x" * 500])
def test_a_stalled_handshake_is_closed_in_time(tls, begin):
    started = time.monotonic()
    with tls.connect() as sock:
        sock.sendall(begin)
        read_all(sock)
    assert time.monotonic() - started < 4
    tls.until(lambda: tls.server.connections == 0)


@pytest.mark.parametrize(
    "garbage", [b"\x16\x03\x01\x00\x05" + b"\xff" * 5, b"\x16" + bytes(2000), b"\x16\x03\x01\xff\xff" + bytes(70_000)]
)
def test_garbage_in_a_handshake_ends_its_connection_at_once(tls, certificates, garbage):
    started = time.monotonic()
    assert b"HTTP/1.1" not in tls.send(garbage)
    assert time.monotonic() - started < 1
    with secure(tls, certificates) as sock:
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200


def test_garbage_after_the_handshake_ends_only_its_connection(tls, certificates):
    with secure(tls, certificates) as other, secure(tls, certificates) as sock:
        sock.sendall(put("/echo", b"ha", length=4))
        tls.until(lambda: tls.application.clients)
        raw = socket.socket(fileno=os.dup(sock.fileno()))
        raw.sendall(b"not a record")
        raw.close()
        tls.until(lambda: tls.application.interrupted)
        other.sendall(get("/echo"))
        assert read_answer(other)[0] == 200
    assert tls.application.whole == ["/echo"]


def test_an_old_version_of_tls_is_refused(certificates, make_wire):
    context = tls_context(Certificate(certificates.certificate.read_bytes(), certificates.key.read_bytes()))
    wire = make_wire(tls=lambda: context)
    client = ssl.create_default_context(cafile=certificates.authority)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    client.set_ciphers("ALL:@SECLEVEL=0")
    with wire.connect() as sock, pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        client.wrap_socket(sock, server_hostname="127.0.0.1")


@pytest.mark.parametrize("offered", [["h2", "http/1.1"], ["http/1.1"]])
def test_http_1_1_is_negotiated(certificates, make_wire, offered):
    context = tls_context(Certificate(certificates.certificate.read_bytes(), certificates.key.read_bytes()))
    wire = make_wire(tls=lambda: context)
    client = ssl.create_default_context(cafile=certificates.authority)
    client.set_alpn_protocols(offered)
    with client.wrap_socket(wire.connect(), server_hostname="127.0.0.1") as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"


def test_silent_handshakes_do_not_block_other_clients(tls, certificates):
    silent = [tls.connect() for _ in range(200)]
    for sock in silent[:100]:
        sock.sendall(b"\x16\x03\x01")
    with secure(tls, certificates) as sock:
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200
    for sock in silent:
        sock.close()


def test_an_unexpected_error_in_a_handshake_does_not_stall_the_others(tls, certificates, monkeypatch):
    original, failures = Preamble.continue_handshake, [RuntimeError("the test says so")]

    def continue_handshake(self):
        if self._server._handshakes and failures:
            raise failures.pop()
        original(self)

    monkeypatch.setattr(Preamble, "continue_handshake", continue_handshake)
    others = [tls.connect() for _ in range(50)]
    for sock in others:
        sock.sendall(b"\x16\x03\x01")
    with secure(tls, certificates) as sock:
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200
    assert not failures
    for sock in others:
        sock.close()


def test_a_new_certificate_applies_to_new_connections(make_wire, certificates, tmp_path):
    other = issue(tmp_path)
    current = [server_context(certificates)]
    wire = make_wire(tls=lambda: current[0])
    with secure(wire, certificates) as old:
        current[0] = server_context(other)
        with secure(wire, other) as new:
            new.sendall(get("/echo"))
            assert read_answer(new)[0] == 200
        old.sendall(get("/echo"))
        assert read_answer(old)[0] == 200


def test_stopping_closes_handshakes_under_way(tls):
    with tls.connect() as sock:
        tls.until(lambda: tls.server.connections == 1)
        tls.stop()
        assert read_all(sock) == b""


# --- PROXY headers --------------------------------------------------------------------------------------------------


@pytest.fixture
def behind_proxy(make_wire):
    return make_wire(WireLimits(handshake_timeout=1.0), trusts=lambda peer: peer == "127.0.0.1")


def test_a_trusted_proxy_passes_on_its_client(behind_proxy):
    assert split(behind_proxy.send(PROXIED + get("/echo", close=True)))[0] == 200
    assert behind_proxy.application.clients == ["198.51.100.7"]


def test_a_trusted_proxy_may_omit_the_header(behind_proxy):
    assert behind_proxy.works()
    assert behind_proxy.application.clients == ["127.0.0.1"]


def test_a_header_may_arrive_in_pieces(behind_proxy):
    with behind_proxy.connect() as sock:
        for byte in PROXIED:
            sock.sendall(bytes([byte]))
            time.sleep(0.005)
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200
    assert behind_proxy.application.clients == ["198.51.100.7"]


def test_a_local_header_makes_the_proxy_the_client(behind_proxy):
    local = SIGNATURE + struct.pack("!BBH", 0x20, 0, 0)
    assert split(behind_proxy.send(local + get("/echo", close=True)))[0] == 200
    assert behind_proxy.application.clients == ["127.0.0.1"]


def test_a_header_of_an_ipv6_client_and_fields_after_its_addresses_are_read(behind_proxy):
    addresses = ipaddress.ip_address("2001:db8::7").packed * 2 + bytes(4)
    fields = b"\x04" + struct.pack("!H", 500) + bytes(500)
    header = SIGNATURE + struct.pack("!BBH", 0x21, 0x21, len(addresses + fields)) + addresses + fields
    assert split(behind_proxy.send(header + get("/echo", close=True)))[0] == 200
    assert behind_proxy.application.clients == ["2001:db8::7"]


def test_each_connection_of_a_proxy_has_its_own_client(behind_proxy):
    for last in range(1, 4):
        header = PROXIED[:19] + bytes([last]) + PROXIED[20:]
        assert split(behind_proxy.send(header + get("/echo", close=True)))[0] == 200
    assert behind_proxy.application.clients == [f"198.51.100.{last}" for last in range(1, 4)]


@pytest.mark.parametrize(
    "begin", [b"PROXY TCP4 198.51.100.7 127.0.0.1 1 2\r\n", b"\r\n\r\nGET", SIGNATURE[:11] + b"X", b"\r\n"]
)
def test_a_near_header_is_a_malformed_request_or_times_out(behind_proxy, begin):
    answer = behind_proxy.send(begin + get("/echo"), end=True)
    assert not answer or (split(answer)[0], answer.count(b"HTTP/1.1 ")) == (400, 1)
    assert behind_proxy.application.clients == []


def test_a_silent_proxy_times_out(behind_proxy):
    with behind_proxy.connect() as silent, behind_proxy.connect() as partial:
        partial.sendall(SIGNATURE + b"\x21")
        assert read_all(silent) == read_all(partial) == b""


@pytest.mark.parametrize(
    "header",
    [
        SIGNATURE + struct.pack("!BBH", 0x11, 0x11, 12) + bytes(12),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 2000) + bytes(2000),
        SIGNATURE + struct.pack("!BBH", 0x21, 0x11, 4) + bytes(4),
        PROXIED[:20],
    ],
)
def test_a_malformed_or_unfinished_header_ends_the_connection(behind_proxy, header):
    started = time.monotonic()
    assert behind_proxy.send(header) == b""
    assert time.monotonic() - started < 4
    assert behind_proxy.works()


def test_only_one_header_is_read(behind_proxy):
    assert split(behind_proxy.send(PROXIED + PROXIED + get("/echo")))[0] == 400


def test_a_header_of_an_untrusted_peer_is_a_malformed_request(wire):
    assert split(wire.send(PROXIED + get("/echo")))[0] == 400
    assert wire.application.clients == []


def test_the_header_precedes_the_handshake(make_wire, certificates):
    context = server_context(certificates)
    wire = make_wire(tls=lambda: context, trusts=lambda _: True)
    with secure(wire, certificates, before=PROXIED) as sock:
        sock.sendall(get("/echo"))
        assert read_answer(sock)[0] == 200
    assert wire.application.clients == ["198.51.100.7"]
