"""Requests and responses as this registry sees them, free of any server's types.

What every request makes is a `msgspec.Struct`: a frozen dataclass takes several times as long to make.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qsl

import msgspec

from simple_registry.content import FileContent, Span
from simple_registry.http.events import Event
from simple_registry.oci.errors import Unsupported

Headers = list[tuple[str, str]]

MAX_QUERY_FIELDS = 1000


class Body(Protocol):
    """The body of a request, read at most once."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield chunks; raise `ContentInterrupted` when fewer bytes come than announced, `RequestTimeout` when late."""
        ...

    @property
    def announced(self) -> int | None:
        """`Content-Length` in bytes, or `None` when the client does not say."""
        ...


class Request(msgspec.Struct, frozen=True):
    """One request. `headers` has lower-case names; a name that came several times has its values joined by commas.

    `client` is the address of who asks, `peer` that of the connection (they differ behind trusted proxies); `host` is
    what the client calls us.
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: Body
    id: str
    client: str = ""
    peer: str = ""
    host: str = ""
    secure: bool = False

    def query(self) -> "Query":
        """Return the parsed query string."""
        return Query(self.query_string)


class Query:
    """The fields of a query string."""

    def __init__(self, text: str) -> None:
        """Parse `text`.

        Raises: Unsupported for more fields than any client sends, or bytes that are not UTF-8.
        """
        try:
            self._fields = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="strict")
        except ValueError as error:
            raise QueryInvalid(reason="the query string cannot be read") from error

    def find(self, name: str) -> str | None:
        """Return the first value of a field."""
        return next((value for key, value in self._fields if key == name), None)

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field."""
        return [value for key, value in self._fields if key == name]


class QueryInvalid(Unsupported):
    """code-13: a query string that cannot be read."""

    message = "invalid query string"
    status = 400


@dataclass(frozen=True, slots=True)
class FileSpan:
    """Part of a file, which the server sends without passing it through Python."""

    file: FileContent
    span: Span


@dataclass(frozen=True, slots=True)
class Parts:
    """A body made of several pieces, `size` bytes together."""

    pieces: Sequence[bytes | FileSpan]
    size: int

    def __iter__(self) -> Iterator[bytes | FileSpan]:
        return iter(self.pieces)


@dataclass(frozen=True, slots=True)
class Unsent:
    """Stands for content of `size` bytes in the answer to a HEAD."""

    size: int


class Response(msgspec.Struct, frozen=True):
    """One response. `Content-Length` follows from the content; a HEAD response is its GET response unsent."""

    status: int
    headers: Headers = msgspec.field(default_factory=list)
    content: bytes | FileSpan | Parts | Unsent = b""
    events: Sequence[Event] = ()
    """What was changed before this could be said."""

    @property
    def size(self) -> int:
        """Bytes of content."""
        if isinstance(self.content, bytes):
            return len(self.content)
        return self.content.span.size if isinstance(self.content, FileSpan) else self.content.size
