"""One structured line for every request; the server's formatter makes it text or JSON and escapes it."""

import logging

from simple_registry.http.dispatch import Outcome
from simple_registry.http.messages import Request

logger = logging.getLogger("simple_registry.access")


def log_access(request: Request, outcome: Outcome, *, seconds: float) -> None:
    """Write the line. The query string stays out of it: tokens travel there in some clients."""
    if not logger.isEnabledFor(logging.INFO):
        return
    fields: dict[str, object] = {
        "method": request.method,
        "path": request.path,
        "status": outcome.response.status,
        "size": outcome.response.size,
        "ms": round(seconds * 1000, 2),
        "client": request.client,
        "identity": outcome.identity,
        "agent": request.headers.get("user-agent", ""),
        "request": request.id,
    }
    if outcome.note:
        fields["note"] = outcome.note
    logger.info("request", extra={"fields": fields})
