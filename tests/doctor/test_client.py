"""The client sees early answers, cuts, and bytes after an answer."""

import socket
import threading
from contextlib import contextmanager

import pytest

from simple_registry.doctor.client import PIECE, Address, Client, DoctorFault, Request, parse_address


@contextmanager
def server(answer, *, until=b"\r\n\r\n"):
    """Answer one connection with bytes, once a request ends with `until`. Yield a client."""
    listener = socket.create_server(("127.0.0.1", 0))
    received = []

    def work():
        connection, _ = listener.accept()
        with connection:
            while until not in b"".join(received):
                received.append(connection.recv(1024))
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65536):
                received.append(data)

    thread = threading.Thread(target=work)
    thread.start()
    client = Client(Address("http", "127.0.0.1", listener.getsockname()[1]), None, timeout=10)
    client.received = received
    yield client
    thread.join()
    listener.close()


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Y: z\r\n\r\n"


def test_an_answer_has_status_headers_and_body():
    with server(OK + b"{}") as client:
        answer = client.send(Request(method="GET", path="/v2/"))
    assert (answer.status, answer.header("x-y"), answer.body, answer.early) == (200, "z", b"{}", False)
    assert b"Content-Length" not in client.received[0]


def test_bytes_after_an_answer_to_head_are_seen():
    with server(OK + b"{}") as client:
        assert client.send(Request(method="HEAD", path="/")).extra == b"{}"
    with server(OK) as client:
        assert client.send(Request(method="HEAD", path="/")).extra == b""


def test_an_early_answer_ends_the_body():
    body = bytes(20 * PIECE)
    with server(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n") as client:
        answer = client.send(Request(method="PUT", path="/", body=body, pause=0.2))
    assert (answer.status, answer.early) == (413, True)
    assert client.sent < len(body)


def test_a_body_without_a_length_is_sent_in_chunks():
    with server(OK + b"{}", until=b"\r\n0\r\n\r\n") as client:
        client.send(Request(method="PATCH", path="/", body=b"abc", chunked=True))
    assert b"Transfer-Encoding: chunked" in client.received[0]
    assert b"".join(client.received).endswith(b"3\r\nabc\r\n0\r\n\r\n")


def test_a_connection_without_an_answer_is_a_fault():
    with server(b"") as client, pytest.raises(DoctorFault, match="closed without an answer"):
        client.send(Request(method="GET", path="/"))


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("registry.example", "https://registry.example"),
        ("http://localhost:5000/", "http://localhost:5000"),
        ("https://[::1]:443", "https://[::1]"),
    ],
)
def test_addresses(url, address):
    assert str(parse_address(url)) == address


@pytest.mark.parametrize("url", ["ftp://a", "https://a/b", "https://u:p@a", "https://", "https://a?b", "https://a:x"])
def test_other_urls_are_refused(url):
    with pytest.raises(ValueError):
        parse_address(url)
