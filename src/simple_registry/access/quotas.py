"""How much repositories and users may use, by `Quota` documents.

a push ──► to a repository within the scopes, by one of the subjects? ──► limits of what the quota counts
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.access.caller import Identity
from simple_registry.access.scopes import ScopePattern
from simple_registry.oci.names import RepositoryName


class Per(StrEnum):
    """What has the limits of a quota."""

    REPOSITORY = "repository"
    """Each repository."""
    ALL = "all"
    """All repositories within the scopes together."""
    USER = "user"
    """Each user, in all repositories."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits for pushes to repositories within its scopes, by its users; without either, to all and by all."""

    name: str
    limits: Mapping[str, int]
    """By measure: `bytes`, `tags`, `manifests`."""
    per: Per = Per.REPOSITORY
    scopes: tuple[ScopePattern, ...] = ()
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    warn_at: float = 0.9
    """The share of a limit from which on a warning is logged."""

    def reaches(self, repository: str) -> bool:
        """Return whether a repository lies within the scopes."""
        return not self.scopes or any(pattern.matches(repository) for pattern in self.scopes)

    def limits_identity(self, identity: Identity) -> bool:
        """Return whether the pushes of an identity are limited."""
        return (
            not (self.users or self.groups)
            or identity.name in self.users
            or not self.groups.isdisjoint(identity.groups)
        )

    def applies(self, identity: Identity, repository: RepositoryName) -> bool:
        """Return whether the quota limits the pushes of an identity to a repository."""
        return self.limits_identity(identity) and self.reaches(repository)
