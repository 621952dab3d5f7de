"""Clients that have closed their sending side and still read: plain, and TLS with and without close_notify."""

import contextlib
import json
import os
import socket
import ssl

import pytest

from harness.certificates import issue
from simple_registry.config.tls import Certificate
from simple_registry.server.live_certificate import tls_context
from simple_registry.wire.limits import WireLimits
from support.wire import get, put, put_chunked, read_all, split

MIB = 1024 * 1024
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def tls(make_wire, certificates):
    context = tls_context(Certificate(certificates.certificate.read_bytes(), certificates.key.read_bytes()))
    return make_wire(WireLimits(), tls=lambda: context)


class TlsClient:
    """A TLS connection whose directions can be closed separately, unlike those of `ssl.SSLSocket`."""

    def __init__(self, sock, certificates, version):
        context = ssl.create_default_context(cafile=certificates.authority)
        context.minimum_version = context.maximum_version = version
        self._sock, self._incoming, self._outgoing = sock, ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="127.0.0.1")
        self._run(self._tls.do_handshake)

    def _run(self, step, *arguments):
        while True:
            try:
                return step(*arguments)
            except ssl.SSLWantReadError:
                self._flush()
                received = self._sock.recv(65536)
                if not received:
                    self._incoming.write_eof()
                self._incoming.write(received) if received else None
            finally:
                self._flush()

    def _flush(self):
        if waiting := self._outgoing.read():
            with contextlib.suppress(BrokenPipeError):  # the server may have closed
                self._sock.sendall(waiting)

    def send(self, data):
        self._run(self._tls.write, data)

    def send_close_notify(self):
        with contextlib.suppress(ssl.SSLWantReadError):  # without waiting for the answer
            self._tls.unwrap()
        self._flush()

    def end(self):
        self._sock.shutdown(socket.SHUT_WR)

    def read_all(self):
        data = b""
        with contextlib.suppress(ssl.SSLZeroReturnError, ssl.SSLEOFError):
            while piece := self._run(self._tls.read, 1 << 20):
                data += piece
        return data


@pytest.fixture
def connect(tls, certificates):
    with contextlib.ExitStack() as stack:
        yield lambda version: TlsClient(stack.enter_context(tls.connect()), certificates, version)


@pytest.fixture
def file(tls, tmp_path):
    data = os.urandom(3 * MIB)
    tls.application.path, tls.application.size = tmp_path / "file", len(data)
    tls.application.path.write_bytes(data)
    return data


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ends", [False, True], ids=["close_notify", "close_notify and end"])
@pytest.mark.parametrize("path", ["/echo", "/slow", "/file"])
def test_a_tls_client_that_sent_close_notify_gets_its_whole_answer(connect, file, version, ends, path):
    client = connect(version)
    client.send(get(path))
    client.send_close_notify()
    if ends:
        client.end()
    status, _, body = split(client.read_all())
    assert status == 200
    assert body == file if path == "/file" else json.loads(body)["path"] == path


@pytest.mark.parametrize("version", VERSIONS)
def test_a_tls_client_that_closes_without_close_notify_gets_its_answer(connect, version):
    client = connect(version)
    client.send(get("/slow"))
    client.end()
    assert split(client.read_all())[0] == 200


@pytest.mark.parametrize("version", VERSIONS)
def test_requests_before_close_notify_are_all_answered(connect, version):
    client = connect(version)
    client.send(get("/slow") + put("/echo", b"x") + get("/echo"))
    client.send_close_notify()
    assert client.read_all().count(b"HTTP/1.1 200 ") == 3


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("ends", ["close_notify", "end"])
@pytest.mark.parametrize(
    "request_bytes",
    [put("/echo", b"half", length=8), put_chunked("/echo", b"4\r\nbody\r\n0\r\n")],
    ids=["length", "chunks"],
)
def test_a_body_cut_off_by_the_end_is_never_complete(tls, connect, version, ends, request_bytes):
    client = connect(version)
    client.send(request_bytes)
    client.send_close_notify() if ends == "close_notify" else client.end()
    tls.until(lambda: tls.application.interrupted)
    assert tls.application.whole == []


@pytest.mark.parametrize("answered", [get("/slow"), put("/slow", b"body"), get("/slow") + get("/slow")])
def test_the_answer_to_a_half_closed_client_is_its_last_bytes(wire, answered):
    with wire.connect() as sock:
        sock.sendall(answered)
        sock.shutdown(socket.SHUT_WR)
        answers = read_all(sock)
    assert answers.count(b"HTTP/1.1 200 ") == answered.count(b" HTTP/1.1\r\n")
    wire.until(lambda: wire.server.connections == 0)


def test_a_thousand_requests_before_the_end_are_answered(wire):
    answers = wire.send(get("/early") * 1000, end=True)
    assert answers.count(b"HTTP/1.1 200 ") == 1000


def test_part_of_a_request_after_the_whole_ones_gets_no_answer(wire):
    assert wire.send(get("/slow") + get("/echo")[:-2], end=True).count(b"HTTP/1.1 ") == 1
