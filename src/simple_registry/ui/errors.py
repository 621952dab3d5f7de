"""What a browser shows when a request fails: the sign-in form for a 401, else a page that says what to do."""

from collections.abc import Mapping
from typing import Any

import msgspec

from simple_registry.access.caller import Caller
from simple_registry.authentication.credentials import CredentialsRejected, InsufficientScope, InvalidToken
from simple_registry.http.call import Registry
from simple_registry.http.messages import Headers, Request, Response
from simple_registry.oci.errors import Denied, RegistryError
from simple_registry.ui.address import address_of
from simple_registry.ui.cookies import find_session, no_session_cookie
from simple_registry.ui.forms import local_path, path_of
from simple_registry.ui.links import SIGN_IN
from simple_registry.ui.render import render

UNAUTHORIZED, FORBIDDEN, FAULTS = 401, 403, 500
_KEPT = frozenset({"allow", "retry-after"})
_DESCRIBED = frozenset({400, 401, 403, 404, 405, 408, 409, 412, 413, 429, 500, 503, 507})
"""Statuses with words of their own in `texts`."""

_DETAILED = frozenset({400, 409, 412})
"""Statuses whose facts help the user to correct the request."""


def error_page(
    request: Request, registry: Registry, response: Response, error: RegistryError | None, caller: Caller | None
) -> Response:
    """Return the page for a request that got this response, an error document."""
    kept: Headers = [(name, value) for name, value in response.headers if name in _KEPT]
    # The user of a token with narrow scopes is signed in: only another token would help.
    status = FORBIDDEN if isinstance(error, InsufficientScope) else response.status
    if status == UNAUTHORIZED:
        return sign_in_page(request, registry, error)
    stated = _stated(response)
    return render(
        request,
        registry,
        caller,
        "error.html",
        {
            "code": status,
            "described": status if status in _DESCRIBED else 400 if status < FAULTS else 500,
            "message": stated["message"],
            "details": stated.get("detail", {}) if status in _DETAILED else {},
            "missing": error.facts if isinstance(error, Denied) and "verb" in error.facts else None,
            "retry_after": dict(kept).get("retry-after"),
            "request_id": request.id,
        },
        status=status,
        headers=kept,
    )


def sign_in_page(request: Request, registry: Registry, error: RegistryError | None = None) -> Response:
    """Return the sign-in form, after which the browser goes to the page that was asked for."""
    posted = request.path == SIGN_IN
    to = request.query().find("to") if posted else path_of(request) if request.method == "GET" else None
    session = find_session(request, address_of(request, registry.origins))
    ended = session is not None and isinstance(error, InvalidToken)
    headers: Headers = [no_session_cookie(address_of(request, registry.origins))] if ended else []
    if error is not None:
        headers.append(("www-authenticate", 'Cookie realm="simple-registry"'))
    return render(
        request,
        registry,
        None,
        "sign_in.html",
        {
            "to": local_path(to),
            "reason": "ended" if ended else "wrong" if isinstance(error, CredentialsRejected) else None,
            # The cookie does not come with a link of another site; it does when our own page asks again.
            "again": session is None and not posted and request.headers.get("sec-fetch-site") == "cross-site",
            "has_anonymous": registry.rules().anonymous is not None,
        },
        status=UNAUTHORIZED if error is not None else 200,
        headers=headers,
    )


def _stated(response: Response) -> Mapping[str, Any]:
    """Return the first error of an error document."""
    content = response.content if isinstance(response.content, bytes) else b""
    error: Mapping[str, Any] = msgspec.json.decode(content)["errors"][0]
    return error
