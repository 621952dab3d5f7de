"""Who may do what, decided in one function; `http.dispatch` asks it for every endpoint, handlers for every listing."""

from dataclasses import dataclass
from typing import Protocol

from simple_registry.access.identity import Identity
from simple_registry.access.permission import Permission


@dataclass(frozen=True, slots=True)
class Allowed:
    """Yes, because of this binding."""

    binding: str


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and why."""

    reason: str


Decision = Allowed | Refused


class Policy(Protocol):
    """Decides. Pure: the same question gets the same answer for as long as the policy lives."""

    def decide(self, identity: Identity, permission: Permission) -> Decision:
        """Tell whether `identity` has `permission`."""
        ...


@dataclass(frozen=True, slots=True)
class AdministratorPolicy:
    """The policy of a registry without documents: the administrator may do everything, nobody else anything."""

    administrator: str

    def decide(self, identity: Identity, permission: Permission) -> Decision:
        """Allow the administrator."""
        if identity.name == self.administrator:
            return Allowed(f"administrator {self.administrator}")
        return Refused(f"no binding gives {identity.name} {permission.verb} on {permission.resource}")
