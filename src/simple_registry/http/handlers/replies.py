"""Responses that several handlers give."""

from collections.abc import Mapping, Sequence

import msgspec

from simple_registry.http.events import Event
from simple_registry.http.messages import Headers, Response


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
