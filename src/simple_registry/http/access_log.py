"""One structured line for every request; the server's formatter makes it text or JSON and escapes it."""

import logging
from collections.abc import Callable, Mapping

from simple_registry.http.dispatch import Outcome
from simple_registry.http.messages import Request

logger = logging.getLogger("simple_registry.access")

MESSAGE = "request"

MAX_VALUE = 512
"""Characters of a value that a client chooses."""

Write = Callable[[Mapping[str, object]], None]
"""Writes the line of one request from its fields."""


def write_record(fields: Mapping[str, object]) -> None:
    """Write a line through `logging`."""
    logger.info(MESSAGE, extra={"fields": fields})


def access_fields(request: Request, outcome: Outcome, *, seconds: float) -> Mapping[str, object]:
    """Return the fields of the line. The query string is left out: some clients send tokens in it."""
    fields: dict[str, object] = {
        "method": request.method[:MAX_VALUE],
        "path": request.path[:MAX_VALUE],
        "status": outcome.response.status,
        "size": outcome.response.size,
        "ms": round(seconds * 1000, 2),
        "client": request.client,
        "identity": outcome.identity,
        "agent": request.headers.get("user-agent", "")[:MAX_VALUE],
        "request": request.id,
    }
    if outcome.note:
        fields["note"] = outcome.note[:MAX_VALUE]
    return fields
