"""Fetching documents: from the right host only, within bounds, without credentials."""

import asyncio
import socket
import ssl
import threading
import time

import pytest

from harness.certificates import issue
from simple_registry.upstream import client
from simple_registry.upstream.client import MAX_SIZE, HttpsFetcher
from simple_registry.upstream.protocols import UpstreamFault
from support.documents_server import DocumentsServer


@pytest.fixture
def server():
    with DocumentsServer() as server:
        yield server


def fetch(url, fetcher=None):
    return asyncio.run((fetcher or HttpsFetcher(step_timeout=1.0, deadline=2.0)).fetch(url))


def refused(url, fetcher=None):
    with pytest.raises(UpstreamFault) as caught:
        fetch(url, fetcher)
    return str(caught.value)


def redirect(location, status=302):
    def answer(request):
        request.send_response(status)
        request.send_header("Location", location)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer


def test_a_document_is_fetched_whole(server):
    server.document = bytes(range(256)) * 100
    assert fetch(server.url + "?a=b") == server.document
    assert server.asked == ["/jwks?a=b"]


def test_no_credentials_are_sent(server, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    fetch(server.url)
    assert not {"authorization", "cookie"} & {name.lower() for name in server.headers[0]}


@pytest.mark.parametrize(
    "url",
    [
        "",
        "x",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "http://example.com/",
        "http://10.0.0.1/",
        "http://127.0.0.1.example.com/",
        "http://localhost.example.com/",
        "https://user:password@example.com/",
        "https:///path",
        "https://example.com:x/",
        "https://example.com:99999/",
        "https://[::1/",
        "https://example.com/\r\nHost: evil",
        "https://example.com/ x",
        "https://exämple.com/",
        "https://example.com/\x00",
    ],
)
def test_other_urls_are_never_asked(url, monkeypatch):
    monkeypatch.setattr("socket.create_connection", lambda *_: pytest.fail("asked"))
    refused(url)


def test_a_refused_url_is_not_shown():
    assert "password" not in refused("https://user:password@example.com/")


def test_a_redirect_on_the_same_host_is_followed(server):
    def answer(request):
        (redirect("/other") if request.path == "/jwks" else server.give)(request)

    server.answer, server.document = answer, b"x"
    assert fetch(server.url) == b"x"
    assert server.asked == ["/jwks", "/other"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_is_refused(server, status):
    with DocumentsServer() as other:
        for location in (other.url, other.url.replace("127.0.0.1", "localhost"), "https://127.0.0.1/"):
            server.answer = redirect(location, status)
            assert "another host" in refused(server.url)
        assert other.asked == []


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://10.0.0.1/", "http://[", "//user@127.0.0.1/"])
def test_a_redirect_to_something_else_is_refused(server, location):
    server.answer = redirect(location)
    refused(server.url)
    assert len(server.asked) == 1


def test_circles_end(server):
    server.answer = redirect("/jwks")
    assert "circles" in refused(server.url)
    assert len(server.asked) == 4


@pytest.mark.parametrize("status", [201, 204, 206, 304, 400, 401, 404, 500])
def test_other_answers_are_refused(server, status):
    def answer(request):
        request.send_response(status)
        request.send_header("Content-Length", "0")
        request.end_headers()

    server.answer = answer
    assert str(status) in refused(server.url)


def test_a_large_document_is_refused(server):
    server.document = b"x" * MAX_SIZE
    assert len(fetch(server.url)) == MAX_SIZE
    server.document += b"x"
    assert "larger" in refused(server.url)


def test_an_endless_document_is_refused(server):
    def answer(request):
        request.send_response(200)
        request.end_headers()
        while True:
            request.wfile.write(b"x" * 65536)

    server.answer = answer
    assert "larger" in refused(server.url)


def test_a_document_that_is_cut_off_is_refused(server):
    def answer(request):
        request.send_response(200)
        request.send_header("Content-Length", "100")
        request.end_headers()
        request.wfile.write(b"x")

    server.answer = answer
    refused(server.url)


def test_nonsense_is_refused_and_not_repeated(server):
    server.answer = lambda request: request.wfile.write(b"SECRET\r\n\r\n")
    assert "SECRET" not in refused(server.url)


def test_a_silent_server_is_given_up(server):
    server.answer = lambda _request: time.sleep(3)
    before = time.monotonic()
    refused(server.url, HttpsFetcher(step_timeout=0.2, deadline=5.0))
    assert time.monotonic() - before < 2


def test_a_server_that_drips_is_cut(server):
    def answer(request):
        request.send_response(200)
        request.end_headers()
        for _ in range(50):
            request.wfile.write(b"x")
            request.wfile.flush()
            time.sleep(0.1)

    server.answer = answer
    before = time.monotonic()
    fetcher = HttpsFetcher(step_timeout=1.0, deadline=0.5)
    assert "too long" in refused(server.url, fetcher)
    assert time.monotonic() - before < 3


def test_a_resolver_of_names_that_hangs_is_given_up(monkeypatch):
    answer = threading.Event()
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: answer.wait(60) and [])
    monkeypatch.setattr(client, "_GRACE", 0.1)
    before = time.monotonic()
    try:
        assert "too long" in refused("https://issuer.example/", HttpsFetcher(step_timeout=0.1, deadline=0.1))
        assert time.monotonic() - before < 10
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "fetch")
    finally:
        answer.set()


def test_an_unused_port_is_a_fault():
    with DocumentsServer() as server:
        url = server.url
    assert "does not answer" in refused(url)


def test_the_loop_is_not_blocked(server):
    server.answer = lambda request: (time.sleep(0.3), server.give(request))

    async def scenario():
        fetching = asyncio.create_task(HttpsFetcher().fetch(server.url))
        ticks = 0
        while not fetching.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(scenario()) > 10


@pytest.fixture
def tls(tmp_path):
    files = issue(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    server = DocumentsServer()
    server.wrap(context)
    with server:
        yield server, ssl.create_default_context(cafile=str(files.authority))


def test_a_document_is_fetched_over_tls(tls):
    server, context = tls
    server.document = b"x"
    url = f"https://localhost:{server.port}/"
    assert fetch(url, HttpsFetcher(context)) == b"x"


def test_an_unknown_certificate_is_refused(tls):
    server, _ = tls
    assert "not trusted" in refused(f"https://localhost:{server.port}/")
    assert server.asked == []


def test_a_certificate_of_another_name_is_refused(tls, monkeypatch):
    server, context = tls
    connect = socket.create_connection
    monkeypatch.setattr(
        "socket.create_connection", lambda _address, timeout: connect(("127.0.0.1", server.port), timeout)
    )
    assert "not trusted" in refused("https://issuer.example/", HttpsFetcher(context))
    assert server.asked == []


def test_a_redirect_from_tls_to_plain_is_refused(tls):
    server, context = tls
    server.answer = redirect(f"http://localhost:{server.port}/")
    assert "another host" in refused(f"https://localhost:{server.port}/", HttpsFetcher(context))


def test_a_server_that_never_finishes_its_handshake_is_cut():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip():
            connection, _ = listener.accept()
            with connection:
                for _ in range(30):
                    try:
                        connection.sendall(b"\x16\x03\x03\x40\x00" if _ == 0 else b"x")
                    except OSError:
                        return
                    time.sleep(0.1)

        thread = threading.Thread(target=drip)
        thread.start()
        before = time.monotonic()
        refused(f"https://127.0.0.1:{listener.getsockname()[1]}/", HttpsFetcher(step_timeout=1.0, deadline=0.5))
        assert time.monotonic() - before < 2
        thread.join()
