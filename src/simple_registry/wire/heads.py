"""Parses the head of a request into a value, or refuses it with a reason (RFC 9112, sections 2 to 6).

    GET /v2/?n=1 HTTP/1.1        request line: method, target, version
    host: registry.example       header lines, each a name and a value
                                 an empty line

The parser is strict: it accepts the grammar of RFC 9112 and nothing else. A proxy in front may interpret a lenient form
differently, and such a difference allows request smuggling. Clients repeat their header lines from request to request,
so a parser caches the lines that it parsed last.
"""

import re
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

MAX_HEAD = 64 * 1024
"""Bytes of a head, line ends included."""

MAX_TARGET = 32 * 1024
"""Bytes of a request target."""

MAX_LINES = 100
"""Header lines of a request."""

MAX_CACHED = 4 * 1024
"""Characters of the header lines that a connection caches while it is open."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]"  # noqa: S105 (RFC 9110, section 5.6.2)
_REQUEST_LINE = re.compile(rf"({_TOKEN}+) (\S+) HTTP/([0-9])\.([0-9])\r\n", re.ASCII)
_LINES = re.compile(rf"(?:{_TOKEN}+:[\t\x20-\x7e\x80-\xff]*\r\n)*", re.ASCII)
_TARGET = re.compile(r"[\x21\x22\x24-\x7e]+")
_ABSOLUTE = re.compile(r"https?://([^/?]*)([/?].*)?", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?", re.ASCII)
_LENGTH = re.compile(r"[0-9]{1,18}", re.ASCII)
_METHOD_START = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]")

Fields = Mapping[str, str]
"""Header values by lower-case name; the values of a repeated name are joined by commas (RFC 9110, section 5.3)."""


class RequestRefused(Exception):
    """A malformed or unsupported request; `status` and `reason` go to the client.

    The connection ends, because the start of the next request is unknown.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class RequestHead(msgspec.Struct, frozen=True):
    """A parsed head.

    `length` is the size of the body in bytes, `None` for a body in chunks. `path` is percent-decoded, `query` is not.
    `last` is true if the client will send no further request on this connection.
    """

    method: str
    path: str
    query: str
    headers: Fields
    host: str
    length: int | None
    expects_continue: bool
    last: bool


class _Lines(msgspec.Struct, frozen=True):
    """The header lines of a head, and the fields about the message."""

    headers: Fields
    hosts: int
    length: int | None
    chunked: bool
    expects_continue: bool
    last: bool


class HeadParser:
    """Parses the heads of one connection."""

    def __init__(self) -> None:
        self._text: str | None = None
        self._lines: _Lines | None = None

    def has_cached(self, headers: Fields) -> bool:
        """Return whether these are the cached headers."""
        return self._lines is not None and headers is self._lines.headers

    def parse(self, head: bytes) -> RequestHead:
        """Parse a complete head; `head` ends with the empty line.

        Raises: RequestRefused.
        """
        text = head.decode("latin-1")
        match = _REQUEST_LINE.match(text)
        if match is None:
            raise RequestRefused(400, "the request line is malformed")
        method, target, major, minor = match.groups()
        if major != "1" or minor not in "01":
            raise RequestRefused(505, "this server speaks HTTP/1.1")
        text = text[match.end() :]
        lines = self._lines
        if text != self._text or lines is None:
            lines = _parse_lines(text)
            if len(text) <= MAX_CACHED:
                self._text, self._lines = text, lines
        old = minor == "0"
        if lines.hosts != 1 and not (old and lines.hosts == 0):
            raise RequestRefused(400, "a request must have exactly one Host header")
        if old and lines.chunked:
            raise RequestRefused(400, "HTTP/1.0 has no Transfer-Encoding")
        host = lines.headers.get("host", "")
        if target[0] != "/":
            target, host = _without_authority(method, target, host)
        if len(target) > MAX_TARGET:
            raise RequestRefused(414, f"a request target may have at most {MAX_TARGET} bytes")
        if _TARGET.fullmatch(target) is None:
            raise RequestRefused(400, "the request target has a character that must be percent-encoded")
        path, _, query = target.partition("?")
        return RequestHead(
            method,
            unquote(path) if "%" in path else path,
            query,
            lines.headers,
            host,
            None if lines.chunked else lines.length,
            lines.expects_continue and not old,
            lines.last or old,
        )


def cannot_become_head(data: bytes) -> bool:
    """Return whether a partial head is already invalid.

    Otherwise a TLS handshake on a plain port, or lines with bare line feeds, would wait for the time-out.
    """
    return _METHOD_START.match(data) is None or data.count(b"\n") != data.count(b"\r\n")


def _parse_lines(text: str) -> _Lines:
    """Parse header lines and the empty line after them.

    Raises: RequestRefused.
    """
    if _LINES.fullmatch(text, 0, len(text) - 2) is None:
        raise RequestRefused(400, _malformed_line(text))
    # Not a pattern with blanks on both sides of the value: it would backtrack quadratically over a long run of blanks.
    split = [line.partition(":") for line in text[:-4].split("\r\n")] if len(text) > 2 else []  # noqa: PLR2004 (the empty line)
    pairs = [(name.lower(), value.strip(" \t")) for name, _, value in split]
    if len(pairs) > MAX_LINES:
        raise RequestRefused(431, f"a request may have at most {MAX_LINES} header lines")
    headers: Fields = dict(pairs)
    if len(headers) != len(pairs):
        headers = _joined(pairs)
    hosts = sum(name == "host" for name, _ in pairs)
    if hosts == 1 and _HOST.fullmatch(headers["host"]) is None:
        raise RequestRefused(400, "the Host header is not a host name or address")
    expect = headers.get("expect")
    if expect is not None and expect.lower() != "100-continue":
        raise RequestRefused(417, "the only supported expectation is 100-continue")
    length, chunked = _framing(headers)
    options = headers.get("connection", "")
    last = bool(options) and "close" in [option.strip(" \t") for option in options.lower().split(",")]
    return _Lines(headers, hosts, length, chunked, expect is not None, last)


def _joined(pairs: list[tuple[str, str]]) -> Fields:
    headers: dict[str, str] = {}
    for name, value in pairs:
        between = "; " if name == "cookie" else ", "  # HTTP/2 lets clients divide it (RFC 9113, section 8.2.3)
        headers[name] = f"{headers[name]}{between}{value}" if name in headers else value
    return headers


def _framing(headers: Fields) -> tuple[int, bool]:
    """Return the length of the body, and whether it comes in chunks instead (RFC 9112, section 6).

    Raises: RequestRefused.
    """
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise RequestRefused(400, "a body has a Content-Length or a Transfer-Encoding, not both")
        if coding.lower() != "chunked":
            raise RequestRefused(501, "the only supported transfer coding is chunked, once")
        return 0, True
    if length is None:
        return 0, False
    if _LENGTH.fullmatch(length) is None:
        raise RequestRefused(400, "Content-Length must be a single number")
    return int(length), False


def _without_authority(method: str, target: str, host: str) -> tuple[str, str]:
    """Return path and host of a target in absolute form, or `*` as it is (RFC 9112, section 3.2).

    Raises: RequestRefused.
    """
    if method == "CONNECT":
        raise RequestRefused(501, "this server is not a proxy")
    if target == "*" and method == "OPTIONS":
        return target, host
    match = _ABSOLUTE.fullmatch(target)
    if match is None or _HOST.fullmatch(match[1]) is None:
        raise RequestRefused(400, "a request target must be a path, or an http or https URL")
    path = match[2] or "/"
    return path if path[0] == "/" else f"/{path}", match[1]


def _malformed_line(text: str) -> str:
    for number, line in enumerate(text.split("\r\n")[:-2], start=1):
        if _LINES.fullmatch(f"{line}\r\n") is None:
            return f"header line {number} is malformed"
    return "a header line is malformed"
