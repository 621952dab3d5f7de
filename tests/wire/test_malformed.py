"""Malformed requests by kind, with their expected statuses, on a real server.

After each: the answer has a document and is the last of its connection, a request that is pipelined behind it gets no
answer, and the next connection works.
"""

import itertools
import json
import socket

import pytest

from simple_registry.wire.limits import WireLimits
from support.wire import Wire, chunk, get, put_chunked, read_answer, split

HOST = "Host: r.example"
TARGETS = ("/v2/", "/v2/a/manifests/v1?x=y", "/")


def head(request="GET / HTTP/1.1", *lines, host=HOST):
    text = "".join(f"{line}\r\n" for line in (request, *([host] if host else []), *lines))
    return f"{text}\r\n".encode("latin-1")


def _request_lines():
    for target in TARGETS:
        yield 400, f"GET {target}"
        yield 400, f"GET  {target} HTTP/1.1"
        yield 400, f"GET {target}  HTTP/1.1"
        yield 400, f"GET {target} HTTP/1.1 "
        yield 400, f" GET {target} HTTP/1.1"
        yield 400, f"GET\t{target}\tHTTP/1.1"
        yield 400, f"GET {target} HTTP/11"
        yield 400, f"GET {target} HTTP/1"
        yield 400, f"GET {target} HTTP/1.10"
        yield 400, f"GET {target} HTTP /1.1"
        yield 400, f"GET {target} XTTP/1.1"
        yield 400, f"GET {target}#top HTTP/1.1"
        yield 400, f"GET {target} {target} HTTP/1.1"
        yield 505, f"GET {target} HTTP/2.0"
        yield 505, f"GET {target} HTTP/1.2"
        yield 505, f"GET {target} HTTP/0.9"
        yield 505, f"GET {target} HTTP/3.1"
    for byte in (*range(0x01, 0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0x80, 0xE9, 0xFF):
        yield 400, f"GET /a{chr(byte)}b HTTP/1.1"
    for character in '()<>@,;:\\"/[]?={}':
        yield 400, f"G{character}T / HTTP/1.1"
    for target in (
        "v2",
        "*",
        "?a",
        "a:b",
        "http://",
        "http:///x",
        "http://a b/",
        "http://[::1/",
        "gopher://x/",
        "http://u:p@x/",
    ):
        yield 400, f"GET {target} HTTP/1.1"
    yield 501, "CONNECT r.example:443 HTTP/1.1"
    yield 505, "PRI * HTTP/2.0"


def _header_lines():
    for byte in (*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F):
        yield 400, [f"X-A: a{chr(byte)}b"]
        yield 400, [f"X{chr(byte)}A: b"]
    for byte in (0x80, 0xE9, 0xFF):
        yield 400, [f"X{chr(byte)}A: b"]
    for character in '()<>@,;\\"/[]?={} \t':
        yield 400, [f"X{character}A: b"]
    for name in ("Content-Length", "Transfer-Encoding", "Host", "X-Any"):
        yield 400, [f"{name} : 1"]
        yield 400, [f"{name}\t: 1"]
        yield 400, [f" {name}: 1"]
        yield 400, [f"{name}"]
        yield 400, ["X: a", f" {name}: 1"]
        yield 400, ["X: a", f"\t{name}: 1"]
        yield 400, [f"{name}: 1\r{name}: 1"]
        yield 400, [f"{name}: a\nb"]
    for value in (
        "",
        "-1",
        "+1",
        "1.0",
        "1e3",
        "0x10",
        "1 1",
        "1,1",
        "1;1",
        "one",
        "1_0",
        "\xb2",
        "9" * 19,
        "0" * 20,
        '"1"',
    ):
        yield 400, [f"Content-Length: {value}"]
    for first, second in itertools.product(("0", "1"), repeat=2):
        yield 400, [f"Content-Length: {first}", f"Content-Length: {second}"]
    for value in (
        "",
        "gzip",
        "identity",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "chunked;q=1",
        "xchunked",
        "chunked,",
    ):
        yield 501, [f"Transfer-Encoding: {value}"]
    for coding in ("chunked", "identity", "x"):
        yield 400, [f"Transfer-Encoding: {coding}", "Content-Length: 5"]
        yield 400, ["Content-Length: 5", f"Transfer-Encoding: {coding}"]
    yield 501, ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"]
    yield 501, ["Transfer-Encoding: chunked", "transfer-encoding: identity"]
    for value in ("", "x", "100", "100-continue, x", "99-continue"):
        yield 417, [f"Expect: {value}"]
    yield 431, [f"X-{number}: 1" for number in range(100)]
    yield 431, ["X: " + "y" * 66_000]
    yield 431, [f"X-{number}: {'y' * 1000}" for number in range(70)]


def _hosts():
    for host in (
        None,
        "Host:",
        "Host: ",
        "Host: a b",
        "Host: a/b",
        "Host: a?b",
        "Host: a#b",
        "Host: a@b",
        "Host: a,b",
        "Host: a:b",
    ):
        yield 400, host
    for host in (
        "b\xfccher",
        "[::1",
        "::1",
        "[fe80::1%25eth0]:5000",
        "[x]",
        "a:123456",
        "a:-1",
        "a: 1",
        '"a"',
        "a\\b",
        "<a>",
        "a;b",
    ):
        yield 400, f"Host: {host}"
    yield 400, "Host: a\r\nHost: a"
    yield 400, "Host: a\r\nHost: b"
    yield 400, "Host: a\r\nhOsT: a"


def _chunks():
    sizes = (
        b"",
        b"g",
        b"-1",
        b"+1",
        b"0x1",
        b" 1",
        b"1 ",
        b"1\t",
        b"\t1",
        b"1.0",
        b"1,1",
        b"_1",
        b"1_0",
        b"f" * 16,
        b"\xd9\xa1",
        b"1 ;a",
    )
    for size in sizes:
        yield size + b"\r\na\r\n0\r\n\r\n"
        yield chunk(b"good") + size + b"\r\na\r\n0\r\n\r\n"
    for extension in (b";\x00", b";\x7f", b";a\rb", b";" + b"a" * 1100):
        yield b"1" + extension + b"\r\na\r\n0\r\n\r\n"
    for ending in (b"\n", b"\r", b"\r\r\n", b"x\r\n", b" \r\n", b"\n\r\n"):
        yield b"1\r\na" + ending + b"0\r\n\r\n"
    for line in (b"1\na\r\n", b"1\r\na\r\n0\n\r\n", b"1\r\na\r\n0\r\n\n"):
        yield line + b"0\r\n\r\n"
    for trailer in (b"x", b"x y: z", b" x: y", b": y", b"x: a\x00", b"x: y\nz: a", b"x: " + b"y" * 9000):
        yield b"0\r\n" + trailer + b"\r\n\r\n"


NOT_HTTP = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(50),
    b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n",
    b"GET / HTTP/1.1\r\nHost: x\n\r\n",
    b"GET / HTTP/1.1\nHost: x\r\n\r\n",
    b"\x00" * 20,
    b'{"json": true}\r\n\r\n',
    b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    b"\xff\xfe",
]

CASES = [
    *((status, head(line)) for status, line in _request_lines()),
    *((status, head("POST / HTTP/1.1", *lines)) for status, lines in _header_lines()),
    *((status, head(host=host)) for status, host in _hosts()),
    *((400, put_chunked("/echo", chunks)) for chunks in _chunks()),
    *((400, data) for data in NOT_HTTP),
    (414, b"GET /" + b"x" * 33_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    (414, b"GET /" + b"x" * 70_000),
    (414, b"x" * 70_000),
    (400, head("POST / HTTP/1.0", "Transfer-Encoding: chunked")),
    (400, head("GET / HTTP/1.0", host="Host: a b")),
]


@pytest.fixture(scope="module")
def server():
    """One server for all cases."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        wire = Wire(WireLimits(), listener)
        yield wire
        wire.stop()


def test_there_are_enough_cases():
    assert len(CASES) == len(set(CASES)) > 300


@pytest.mark.parametrize(
    ("status", "data"), CASES, ids=[f"{status}-{number}" for number, (status, _) in enumerate(CASES)]
)
def test_a_malformed_request_gets_one_last_answer(server, status, data):
    handled = len(server.application.whole)
    answer = server.send(data + get("/smuggled"))
    assert answer.count(b"HTTP/1.1 ") == 1
    found, headers, body = split(answer)
    assert (found, headers["connection"]) == (status, "close")
    assert headers["content-type"] == "application/json"
    if data[:3] != b"PUT":  # the body of a request is refused by the application
        assert json.loads(body)["refused"]
    assert len(server.application.whole) == handled


def test_after_malformed_requests_the_next_connection_works(server):
    assert server.works()


# --- requests of real clients ---------------------------------------------------------------------------------------

REAL = {
    "java, HttpClient of JDK 17, h2c upgrade": (
        "PUT /echo HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nContent-Length: 4\r\nHost: 127.0.0.1:5000\r\n"
        "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA\r\nUpgrade: h2c\r\n"
        "User-Agent: Java-http-client/17.0.9\r\n\r\nbody"
    ),
    "curl, upload that asks first": (
        "PUT /echo HTTP/1.1\r\nHost: localhost:5000\r\nAuthorization: Basic YWRtaW46cHc=\r\n"
        "User-Agent: curl/7.88.1\r\n"
        "Accept: */*\r\nContent-Length: 4\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\nbody"
    ),
    "docker, PATCH in chunks": (
        "PATCH /echo?_state=x HTTP/1.1\r\nHost: localhost:5000\r\n"
        "User-Agent: docker/20.10.24+dfsg1 go/go1.19.8 git-commit/5d6db84 kernel/6.1.0 os/linux arch/amd64 "
        "UpstreamClient(Docker-Client/20.10.24+dfsg1 \\(linux\\))\r\nTransfer-Encoding: chunked\r\n"
        "Accept-Encoding: gzip\r\n\r\n"
        "4\r\nbody\r\n0\r\n\r\n"
    ),
    "containerd, HEAD": (
        "HEAD /echo HTTP/1.1\r\nHost: localhost:5000\r\nUser-Agent: containerd/1.6.20~ds1\r\n"
        "Accept: application/vnd.docker.distribution.manifest.v2+json, "
        "application/vnd.oci.image.index.v1+json, */*\r\n\r\n"
    ),
    "skopeo, POST without a body": (
        "POST /echo HTTP/1.1\r\nHost: localhost:5000\r\nUser-Agent: skopeo/1.9.3\r\nContent-Length: 0\r\n"
        "Docker-Distribution-Api-Version: registry/2.0\r\nAccept-Encoding: gzip\r\n\r\n"
    ),
    "go-containerregistry, JSON without a body": (
        "POST /echo HTTP/1.1\r\nHost: localhost:5000\r\nUser-Agent: crane/v0.20 go-containerregistry/v0.20\r\n"
        "Content-Length: 0\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n"
    ),
    "python requests": (
        "GET /echo HTTP/1.1\r\nHost: localhost:5000\r\nUser-Agent: python-requests/2.31.0\r\n"
        "Accept-Encoding: gzip, deflate\r\n"
        "Accept: */*\r\nConnection: keep-alive\r\n\r\n"
    ),
    "python http.client, chunked": (
        "PUT /echo HTTP/1.1\r\nHost: localhost:5000\r\nAccept-Encoding: identity\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
        "4\r\nbody\r\n0\r\n\r\n"
    ),
    "nginx as a proxy": (
        "GET /echo HTTP/1.0\r\nHost: registry.example\r\nX-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n"
        "Connection: close\r\nUser-Agent: docker/24\r\n\r\n"
    ),
    "wrk": "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:5000\r\n\r\n",
}


@pytest.mark.parametrize("text", REAL.values(), ids=REAL)
def test_heads_and_bodies_of_real_clients_are_read(server, text):
    with server.connect() as sock:
        sock.sendall(text.encode())
        if text.startswith("HEAD"):
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
            return
        status, _, body = read_answer(sock)
    assert status == 200
    assert json.loads(body)["body"] == ("body" if text.endswith("body") or "\r\nbody\r\n" in text else "")
