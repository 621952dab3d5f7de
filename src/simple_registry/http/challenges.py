"""The challenge of a 401: what a client must send (RFC 9110, section 11; the Docker token protocol).

Without an anonymous user every client needs credentials, and `Basic` is the shortest way. With one, clients must learn
that they can get a token without credentials: that is `Bearer`, and so is the answer to a token that does not suffice.
An answer has one challenge: clients that join header lines (Python's requests) would confuse two. docker and podman
use the first challenge for the whole session.
"""

from collections.abc import Sequence

from simple_registry.access.limits import scope_text
from simple_registry.access.permission import Permission
from simple_registry.authentication.credentials import InsufficientScope, InvalidToken
from simple_registry.http.messages import Request
from simple_registry.http.origins import Origins
from simple_registry.oci.errors import RegistryError, Unauthorized
from simple_registry.oci.names import parse_repository_name

BASIC = 'Basic realm="simple-registry"'
TOKEN_PATH = "/token"  # noqa: S105 (a path)


class Challenger:
    """Writes challenges."""

    def __init__(self, mode: str, origins: Origins) -> None:
        """Write them in the mode `basic`, `bearer` or `auto` (the scheme that fits), with realms on `origins`."""
        self._mode = mode
        self._origins = origins

    def challenge(
        self, request: Request, error: Unauthorized, permission: Permission | None, *, anonymous: bool
    ) -> str:
        """Return the challenge of a 401; `anonymous` is whether there is such a user."""
        origin = self._origins.origin(request)
        if origin is None or self._mode == "basic" or request.path == TOKEN_PATH:
            return BASIC
        of_token = isinstance(error, InvalidToken | InsufficientScope)
        if self._mode == "bearer" or anonymous or of_token:
            return _bearer(origin, request, error, permission)
        return BASIC


def _bearer(origin: str, request: Request, error: Unauthorized, permission: Permission | None) -> str:
    fields = {"realm": f"{origin}{TOKEN_PATH}", "service": origin.partition("://")[2]}
    if permission is not None:
        fields["scope"] = " ".join(
            [scope_text(permission), *_mount_source(request, permission), *_condition(request, permission)]
        )
    if isinstance(error, InvalidToken):
        fields["error"] = "invalid_token"
    elif isinstance(error, InsufficientScope):
        fields["error"] = "insufficient_scope"
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in fields.items())


def _mount_source(request: Request, permission: Permission) -> Sequence[str]:
    """Return the scope for reading the source of a mount, so that one token suffices for the request."""
    if permission.verb != "POST":
        return []
    try:
        return [f"repository:{parse_repository_name(request.query().find('from') or '')}:pull"]
    except RegistryError:
        return []


def _condition(request: Request, permission: Permission) -> Sequence[str]:
    """Return the scope for reading what a deletion deletes, which its precondition needs."""
    if permission.verb != "DELETE" or not request.headers.keys() & {"if-match", "if-none-match"}:
        return []
    return [f"repository:{permission.scope.partition(':')[0]}:pull"]
