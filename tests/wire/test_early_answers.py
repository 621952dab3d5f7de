"""Answers sent before the body has been read, to clients that send all of it first."""

import http.client
import json
import ssl
import time

import pytest

from harness.certificates import issue
from simple_registry.config.tls import Certificate
from simple_registry.server.live_certificate import tls_context
from simple_registry.wire.limits import WireLimits
from support.wire import get, put, put_chunked, read_all, read_answer, split

MIB = 1024 * 1024


def pieces(size):
    for _ in range(size // MIB):
        yield bytes(MIB)


@pytest.fixture
def http_client(wire):
    connection = http.client.HTTPConnection(*wire.address, timeout=10)
    yield connection
    connection.close()


def test_http_client_reads_an_early_answer_after_200_mb(http_client):
    for _ in range(2):
        http_client.request("PUT", "/early", body=pieces(200 * MIB), headers={"Content-Length": str(200 * MIB)})
        answer = http_client.getresponse()
        assert (answer.status, json.loads(answer.read())["path"]) == (200, "/early")


def test_http_client_reads_an_early_answer_after_chunks(wire, http_client):
    http_client.request(
        "PUT", "/early", body=pieces(50 * MIB), headers={"Transfer-Encoding": "chunked"}, encode_chunked=True
    )
    assert http_client.getresponse().read()
    http_client.request("GET", "/echo")
    assert http_client.getresponse().status == 200
    assert wire.server.budget.held == 0


LAST = {
    "it asked for the end": (200, put("/early", b"", "Connection: close", length=10 * MIB)),
    "it expected to be asked": (200, put("/early", b"", "Expect: 100-continue", length=10 * MIB)),
    "its head was refused": (400, put("/early", b"", "Transfer-Encoding: chunked", length=10 * MIB)),
    "its chunks are malformed": (400, put_chunked("/echo", b"no size\r\n")),
}


@pytest.mark.parametrize(("status", "head"), LAST.values(), ids=LAST)
def test_an_early_answer_can_be_read_after_the_whole_body_was_sent(wire, status, head):
    with wire.connect() as sock:
        sock.sendall(head)
        for piece in pieces(10 * MIB):
            sock.sendall(piece)
        found, headers, _ = read_answer(sock)
        assert (found, headers["connection"]) == (status, "close")
        assert read_all(sock) == b""


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(("status", "head"), LAST.values(), ids=LAST)
def test_an_early_answer_can_be_read_over_tls(make_wire, certificates, version, status, head):
    server = tls_context(Certificate(certificates.certificate.read_bytes(), certificates.key.read_bytes()))
    wire = make_wire(tls=lambda: server)
    client = ssl.create_default_context(cafile=certificates.authority)
    client.minimum_version = client.maximum_version = version
    with client.wrap_socket(wire.connect(), server_hostname="127.0.0.1") as sock:
        sock.sendall(head)
        for piece in pieces(10 * MIB):
            sock.sendall(piece)
        found, headers, _ = read_answer(sock)
    assert (found, headers["connection"]) == (status, "close")


def test_an_unread_body_is_never_parsed_as_a_request(wire):
    body = get("/smuggled")
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", "Expect: 100-continue", length=len(body)))
        assert read_answer(sock)[1]["connection"] == "close"
        sock.sendall(body)
        assert read_all(sock) == b""
    assert len(wire.application.clients) == 1


def test_a_dropped_body_is_never_parsed_as_a_request(wire):
    body = get("/smuggled") * 1000
    answers = wire.send(
        put("/early", body) + put_chunked("/early", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)), end=True
    )
    assert 1 <= answers.count(b"HTTP/1.1 200 ") == len(wire.application.clients) <= 2


def send_until_refused(sock, piece, pause, seconds=5.0):
    """Send a piece repeatedly until a reset; return the number of bytes sent."""
    sent, deadline = 0, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            sent += sock.send(piece)
        except OSError:
            return sent
        time.sleep(pause)
    raise AssertionError("everything was taken")


def test_chunks_beyond_the_drain_size_are_not_read(make_wire):
    wire = make_wire(WireLimits(drain_size=MIB))
    with wire.connect() as sock:
        sock.sendall(put_chunked("/early", b"%x\r\n" % (1000 * MIB)))
        assert read_answer(sock)[0] == 200
        sent = send_until_refused(sock, bytes(64 * 1024), 0.0005)
    assert sent < 20 * MIB  # including the kernel's buffers
    assert wire.works()


def test_a_malformed_chunk_of_a_dropped_body_ends_the_connection(wire):
    answers = wire.send(put_chunked("/early", b"4\r\nbody\r\n") + b"no size\r\n" + get("/smuggled"))
    assert answers.count(b"HTTP/1.1 ") == len(wire.application.clients) == 1


def test_a_trickled_body_is_drained_up_to_the_time_out(make_wire):
    wire = make_wire(WireLimits(drain_timeout=0.4))
    with wire.connect() as sock:
        sock.sendall(put("/early", b"", length=1000))
        assert read_answer(sock)[0] == 200
        assert send_until_refused(sock, b"x", 0.05, seconds=4.0) < 1000


@pytest.mark.parametrize("path", ["/whole", "/echo"])
def test_100_continue_is_sent_only_for_a_body_that_is_read(wire, path):
    with wire.connect() as sock:
        sock.sendall(put(path, b"", "Expect: 100-continue", length=4))
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"body" + get("/echo", close=True))
        assert read_all(sock).count(b"HTTP/1.1 ") == 2


def test_http_1_0_gets_no_100_continue(wire):
    answer = wire.send(b"PUT /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nbody")
    assert (split(answer)[0], answer.count(b"HTTP/1.1 ")) == (200, 1)
