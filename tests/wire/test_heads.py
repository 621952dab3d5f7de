"""Heads of requests: the grammar is accepted, and everything else is refused with a reason."""

import pytest
from hypothesis import given, strategies as st

from simple_registry.wire.heads import MAX_LINES, MAX_TARGET, HeadParser, RequestRefused, cannot_become_head

TOKEN = st.text("!#$%&'*+-.^_`|~0123456789abcXYZ", min_size=1, max_size=20)
VALUE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=30)


def parse(*lines, request="GET /v2/ HTTP/1.1", host="x"):
    named = [f"Host: {host}"] if host is not None else []
    return HeadParser().parse("".join(f"{line}\r\n" for line in (request, *named, *lines, "")).encode("latin-1"))


def refused(*lines, **how):
    with pytest.raises(RequestRefused) as refusal:
        parse(*lines, **how)
    assert refusal.value.reason
    return refusal.value.status


def test_a_head_is_read():
    head = parse("Accept: */*", "X-A: 1", request="GET /v2/a%2Fb/?n=5&last=%41 HTTP/1.1", host="r.example:5000")
    assert (head.method, head.path, head.query, head.host) == ("GET", "/v2/a/b/", "n=5&last=%41", "r.example:5000")
    assert head.headers == {"host": "r.example:5000", "accept": "*/*", "x-a": "1"}
    assert (head.length, head.expects_continue, head.last) == (0, False, False)


@given(TOKEN, TOKEN, VALUE)
def test_any_method_and_header_of_the_grammar_are_read(method, name, value):
    head = parse(f"x-{name}:\t {value} \t", request=f"{method} / HTTP/1.1")
    assert head.method == method
    assert head.headers[f"x-{name}".lower()] == value.strip(" \t")


def test_repeated_headers_are_joined_in_order():
    assert parse("A: 1", "b: x", "a: 2").headers["a"] == "1, 2"


def test_lines_of_cookies_are_joined_as_one_line_has_them():
    assert parse("Cookie: a=1", "cookie: b=2; c=3").headers["cookie"] == "a=1; b=2; c=3"


def test_repeated_lines_are_parsed_once_and_changed_ones_again():
    parser = HeadParser()
    first = parser.parse(b"GET /a HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n")
    again = parser.parse(b"GET /b HTTP/1.1\r\nHost: x\r\nA: 1\r\n\r\n")
    other = parser.parse(b"GET /b HTTP/1.1\r\nHost: x\r\nA: 2\r\n\r\n")
    assert first.headers is again.headers
    assert other.headers["a"] == "2"


def test_refused_lines_are_not_cached():
    parser = HeadParser()
    good = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    parser.parse(good)
    for _ in range(2):
        with pytest.raises(RequestRefused):
            parser.parse(b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n")
    assert parser.parse(good).length == 0


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        (["Content-Length: 5"], 5),
        (["content-length:0"], 0),
        (["Content-Length: 000000000000000005"], 5),
        (["Transfer-Encoding: chunked"], None),
        (["transfer-encoding:\tChUnKeD "], None),
        ([], 0),
    ],
)
def test_the_length_of_a_body_is_known(lines, length):
    assert parse(*lines).length == length


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Content-Length: -1"], 400),
        (["Content-Length: +1"], 400),
        (["Content-Length: 1 2"], 400),
        (["Content-Length: 1,1"], 400),
        (["Content-Length: 1", "Content-Length: 1"], 400),
        (["Content-Length: 1", "Content-Length: 2"], 400),
        (["Content-Length:"], 400),
        (["Content-Length: 0x5"], 400),
        (["Content-Length: \u00b2"], 400),
        (["Content-Length: " + "9" * 19], 400),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], 400),
        (["Transfer-Encoding: gzip"], 501),
        (["Transfer-Encoding: gzip, chunked"], 501),
        (["Transfer-Encoding: chunked, chunked"], 501),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], 501),
        (["Transfer-Encoding: chunked, identity"], 501),
        (["Transfer-Encoding:"], 501),
        (["Transfer-Encoding: \x0bchunked"], 400),
        (["Transfer-Encoding : chunked"], 400),
        ([" Transfer-Encoding: chunked"], 400),
        (["X: a", " folded: b"], 400),
        (["X: a", "\tfolded"], 400),
        (["no colon"], 400),
        ([": no name"], 400),
        (["a b: c"], 400),
        (["a\u00e9: c"], 400),
        (["a: \x00"], 400),
        (["a: b\rc"], 400),
        (["a: b\nc: d"], 400),
        (["a: \x7f"], 400),
        (["Expect: 200-ok"], 417),
        (["Expect: 100-continue, 100-continue"], 417),
        (["x: y"] * MAX_LINES, 431),
        (["Host: y"], 400),
    ],
)
def test_header_lines_that_are_refused(lines, status):
    assert refused(*lines) == status


@pytest.mark.parametrize(
    "host", [None, "", "a b", "a/b", "b\u00fccher.example", "[fe80::1%25eth0]:5000", "a,b", "user@a", "a:b", "a:123456"]
)
def test_a_missing_or_malformed_host_is_refused(host):
    assert refused(host=host) == 400


@pytest.mark.parametrize("host", ["registry", "r.example:5000", "127.0.0.1", "[::1]:5000", "a_b-c.example."])
def test_hosts_are_read(host):
    assert parse(host=host).host == host


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        ("GET / HTTP/1.2", 505),
        ("GET / HTTP/2.0", 505),
        ("PRI * HTTP/2.0", 505),
        ("GET / HTTP/0.9", 505),
        ("GET / RTSP/1.0", 400),
        ("GET / http/1.1", 400),
        ("GET / HTTP/1.1 ", 400),
        ("GET /", 400),
        ("GET  / HTTP/1.1", 400),
        ("GET /  HTTP/1.1", 400),
        ("GET /a b HTTP/1.1", 400),
        (" GET / HTTP/1.1", 400),
        ("GET\t/ HTTP/1.1", 400),
        ("", 400),
        ("G(T / HTTP/1.1", 400),
        ("GET /#fragment HTTP/1.1", 400),
        ("GET /b\u00fccher HTTP/1.1", 400),
        ("GET /\x00 HTTP/1.1", 400),
        ("GET * HTTP/1.1", 400),
        ("GET v2 HTTP/1.1", 400),
        ("GET ftp://x/ HTTP/1.1", 400),
        ("GET http:/// HTTP/1.1", 400),
        ("GET http://u@h/ HTTP/1.1", 400),
        ("CONNECT r.example:443 HTTP/1.1", 501),
        ("GET /" + "x" * MAX_TARGET + " HTTP/1.1", 414),
    ],
)
def test_request_lines_that_are_refused(request_line, status):
    assert refused(request=request_line) == status


@pytest.mark.parametrize(
    ("target", "path", "query", "host"),
    [
        ("http://other.example:80/v2/?a=b", "/v2/", "a=b", "other.example:80"),
        ("HTTPS://other.example", "/", "", "other.example"),
        ("http://other.example?a", "/", "a", "other.example"),
        ("//other.example/", "//other.example/", "", "x"),
        ("/?", "/", "", "x"),
        ("/a?b?c", "/a", "b?c", "x"),
        ("/%2e%2E/%zz", "/../%zz", "", "x"),
    ],
)
def test_targets_are_split_into_path_and_query(target, path, query, host):
    head = parse(request=f"GET {target} HTTP/1.1")
    assert (head.path, head.query, head.host) == (path, query, host)


def test_options_accepts_an_asterisk():
    assert parse(request="OPTIONS * HTTP/1.1").path == "*"


@pytest.mark.parametrize(
    ("version", "lines", "last"),
    [
        ("1.1", [], False),
        ("1.1", ["Connection: keep-alive"], False),
        ("1.1", ["Connection: Upgrade, CLOSE"], True),
        ("1.1", ["Connection: x", "Connection: close"], True),
        ("1.1", ["Connection: closed"], False),
        ("1.0", [], True),
        ("1.0", ["Connection: keep-alive"], True),
    ],
)
def test_connection_close_and_http_1_0_end_the_connection(version, lines, last):
    assert parse(*lines, request=f"GET / HTTP/{version}").last is last


def test_http_1_0_needs_no_host_has_no_chunks_and_expects_nothing():
    assert parse(request="GET / HTTP/1.0", host=None).host == ""
    assert refused("Transfer-Encoding: chunked", request="POST / HTTP/1.0") == 400
    assert not parse("Expect: 100-continue", request="POST / HTTP/1.0").expects_continue
    assert parse("expect: 100-CONTINUE").expects_continue


def test_the_malformed_line_is_named():
    with pytest.raises(RequestRefused, match="header line 3 is malformed"):
        parse("a: b", "c d")


@pytest.mark.parametrize(
    "data", [b"\x16\x03\x01\x02\x00", b"\r\n", b" GET", b"GET / HTTP/1.1\nHost: x\n\n", b"\x00", b"\xff"]
)
def test_an_invalid_partial_head_is_detected_early(data):
    assert cannot_become_head(data)


@pytest.mark.parametrize("data", [b"G", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r", b"GET / HTTP/1.1\r\n\r"])
def test_a_valid_partial_head_is_accepted(data):
    assert not cannot_become_head(data)


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(data):
    status = 200
    try:
        HeadParser().parse(data + b"\r\n\r\n")
    except RequestRefused as refusal:
        status = refusal.status
    assert status in {200, 400, 414, 417, 431, 501, 505}
