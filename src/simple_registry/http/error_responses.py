"""Errors as responses (distribution-spec, "Error Codes"); they become so nowhere else."""

from collections.abc import Mapping, Sequence

import msgspec

from simple_registry.http.messages import Headers, Request, Response
from simple_registry.http.ranges import received_range, unsatisfied_range
from simple_registry.http.routes import MethodNotAllowed
from simple_registry.oci.errors import (
    RangeInvalid,
    RangeNotSatisfiable,
    RegistryError,
    Several,
    TooManyRequests,
    Unavailable,
    Unsupported,
    UploadBusy,
    UploadTaken,
)

RETRY_AFTER = "1"
"""Seconds that a client is asked to wait."""


def error_response(request: Request, error: RegistryError, challenge: str | None = None) -> Response:
    """Return the response for `error`, with the challenge of a 401."""
    errors = error.errors if isinstance(error, Several) else [error]
    challenges = [] if challenge is None else [("www-authenticate", challenge)]
    headers = [*challenges, *_headers(request, errors[0])]
    return _response(request, errors[0].status, [_entry(each) for each in errors], headers)


def refusal_response(request: Request, status: int, reason: str) -> Response:
    """Return the response to a request that breaks the rules of HTTP or is not accepted, with the reason as message."""
    if status == Unavailable.status:
        errors = [{"code": Unavailable.code, "message": reason}]
        return _response(request, status, errors, [("retry-after", RETRY_AFTER)])
    return _response(request, status, [{"code": Unsupported.code, "message": reason}])


def failure_response(request: Request) -> Response:
    """Return the response after a bug: without detail, but with the id to look for in the log."""
    return _response(request, 500, [{"code": "UNKNOWN", "message": "internal error"}])


def _response(
    request: Request, status: int, errors: Sequence[Mapping[str, object]], further: Sequence[tuple[str, str]] = ()
) -> Response:
    headers = [("content-type", "application/json"), ("cache-control", "no-store"), *further]
    return Response(status, headers, msgspec.json.encode({"errors": errors, "requestId": request.id}))


def _entry(error: RegistryError) -> Mapping[str, object]:
    entry: dict[str, object] = {"code": error.code, "message": error.message}
    if error.facts:
        entry["detail"] = error.facts
    return entry


def _headers(request: Request, error: RegistryError) -> Headers:
    """Return the headers of some errors, by which clients can continue."""
    match error:
        case RangeInvalid() | UploadTaken():
            return _session_headers(request, error)
        case UploadBusy():
            return [*_session_headers(request, error), ("retry-after", RETRY_AFTER)]
        case RangeNotSatisfiable():
            size = error.facts.get("size")
            return [("content-range", unsatisfied_range(size if isinstance(size, int) else 0))]
        case MethodNotAllowed():
            return [("allow", ", ".join(error.allowed))]
        case TooManyRequests() | Unavailable():
            return [("retry-after", str(error.facts.get("retryAfter", RETRY_AFTER)))]
        case _:
            return []


def _session_headers(request: Request, error: RegistryError) -> Headers:
    """Return the headers by which a client resumes an upload."""
    received = error.facts.get("received")
    return [("location", request.path), ("range", received_range(received if isinstance(received, int) else 0))]
