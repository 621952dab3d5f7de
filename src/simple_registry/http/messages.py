"""Requests and responses, without the types of any server.

Values made for every request are `msgspec.Struct`s: frozen dataclasses take several times as long to make.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from urllib.parse import parse_qsl

import msgspec

from simple_registry.authentication.recent_logins import ConnectionLogin
from simple_registry.http.events import Event
from simple_registry.oci.errors import Unsupported
from simple_registry.wire.answers import AnswerContent, Part, Parts, Unsent, size_of
from simple_registry.wire.body import NO_BODY
from simple_registry.wire.exchange import Body

__all__ = ["NO_BODY", "Body", "Headers", "Part", "Parts", "Query", "QueryInvalid", "Request", "Response", "Unsent"]

Headers = list[tuple[str, str]]
"""A list of headers that code adds to."""

MAX_QUERY_FIELDS = 1000


class Request(msgspec.Struct, frozen=True):
    """One request. `headers` has lower-case names; values of one that came several times are joined, as RFCs say.

    `client` is the address of the client, `peer` that of the connection (they differ behind trusted proxies); what
    anonymous clients use up is counted under `account`. `host` is the client's name for this registry, empty in
    HTTP/1.0 without one.
    """

    method: str
    path: str
    query_string: str
    headers: Mapping[str, str]
    body: Body
    id: str
    client: str = ""
    account: str = ""
    peer: str = ""
    host: str = ""
    secure: bool = False
    login: ConnectionLogin | None = None
    """The cached caller of the connection."""

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
        """Return the value of a field, which may occur several times with the same value.

        Raises: QueryInvalid.
        """
        values = {value for key, value in self._fields if key == name}
        if len(values) > 1:
            raise QueryInvalid(reason=f"the parameter {name} is there with different values")
        return next(iter(values), None)

    def all(self, name: str) -> Sequence[str]:
        """Return every value of a field."""
        return [value for key, value in self._fields if key == name]


class QueryInvalid(Unsupported):
    """code-13: a query string that cannot be read."""

    message = "invalid query string"
    status = 400


class Response(msgspec.Struct, frozen=True):
    """One response. `Content-Length` follows from the content; a HEAD response is its GET response unsent."""

    status: int
    headers: Sequence[tuple[str, str]] = ()
    content: AnswerContent = b""
    events: Sequence[Event] = ()
    """Changes made by the request, for the audit log."""
    mark_damaged: Callable[[], Awaitable[None]] | None = None
    """What to call when content of a store proves unreadable before any of it is sent."""
    page: bool = False
    """Whether it is for browsers: it has headers of its own that say what a browser may do with it."""

    @property
    def size(self) -> int:
        """Bytes of content."""
        return size_of(self.content)


def json_response(
    document: Mapping[str, object],
    headers: Sequence[tuple[str, str]] = (),
    *,
    cache: str = "no-cache",
    events: Sequence[Event] = (),
) -> Response:
    """Return a document as JSON, with this `Cache-Control`."""
    fixed: Headers = [("content-type", "application/json"), ("cache-control", cache)]
    return Response(200, [*fixed, *headers], msgspec.json.encode(document), events)
