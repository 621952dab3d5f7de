"""Challenges: how a 401 tells each client what to send (RFC 9110, section 11; the Docker token protocol).

Without an anonymous user everybody needs credentials, and `Basic` is the shortest way. With one, clients have to learn
that a token can be had without credentials: `/v2/` answers `Bearer` alone, since docker and podman remember the first
challenge for the whole session; a refused resource offers `Bearer` first, and `Basic` to those who have nothing else.
"""

from collections.abc import Sequence

from simple_registry.access.challenge_mode import ChallengeMode
from simple_registry.access.permission import OF_REGISTRY, Permission
from simple_registry.access.roles import PUSH, READ
from simple_registry.http.authorization import InsufficientScope, InvalidToken
from simple_registry.http.messages import Request
from simple_registry.http.origins import Origins
from simple_registry.oci.errors import RegistryError, Unauthorized
from simple_registry.oci.names import parse_repository_name

BASIC = 'Basic realm="simple-registry"'
TOKEN_PATH = "/token"  # noqa: S105 (a path)


class Challenger:
    """Writes challenges."""

    def __init__(self, mode: ChallengeMode, origins: Origins) -> None:
        """Write them in this mode, with realms on these origins."""
        self._mode = mode
        self._origins = origins

    def challenges(
        self, request: Request, error: Unauthorized, permission: Permission | None, *, anonymous: bool
    ) -> Sequence[str]:
        """Return the challenges of a 401, in the order in which clients should try them."""
        origin = self._origins.origin(request)
        if origin is None or self._mode is ChallengeMode.BASIC or request.path == TOKEN_PATH:
            return [BASIC]
        bearer = _bearer(origin, request, error, permission)
        if self._mode is ChallengeMode.BEARER:
            return [bearer]
        if not anonymous:
            return [bearer, BASIC] if isinstance(error, InvalidToken | InsufficientScope) else [BASIC]
        return [bearer] if permission is None else [bearer, BASIC]


def _bearer(origin: str, request: Request, error: Unauthorized, permission: Permission | None) -> str:
    fields = {"realm": f"{origin}{TOKEN_PATH}", "service": origin.partition("://")[2]}
    if permission is not None:
        fields["scope"] = " ".join([scope_text(permission), *_mount_source(request, permission)])
    if isinstance(error, InvalidToken):
        fields["error"] = "invalid_token"
    elif isinstance(error, InsufficientScope):
        fields["error"] = "insufficient_scope"
    return "Bearer " + ",".join(f'{name}="{value}"' for name, value in fields.items())


def _mount_source(request: Request, permission: Permission) -> Sequence[str]:
    """Return the scope that reading the source of a mount needs, so that one token serves the whole request."""
    if permission.verb != "POST":
        return []
    try:
        return [f"repository:{parse_repository_name(request.query().find('from') or '')}:pull"]
    except RegistryError:
        return []


def scope_text(permission: Permission) -> str:
    """Return the scope that a token needs for a permission, in the words of the Docker token protocol."""
    if permission.resource in OF_REGISTRY:
        return f"registry:{permission.resource}:*"
    repository = permission.scope.partition(":")[0]
    if permission.verb in READ:
        return f"repository:{repository}:pull"
    return f"repository:{repository}:{'pull,push' if permission.verb in PUSH else 'delete'}"
