"""Which tags must stay as they are, by `TagProtection` documents.

    may the caller do it?  ──► does the precondition hold?  ──► is the tag protected?
    403                        412                              409, with the name of the rule

The last two are decided in the transaction that changes the tag. A push that leaves a tag where it points is no change.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.access.caller import Identity
from simple_registry.access.permission import scope_of
from simple_registry.access.scopes import ScopePattern
from simple_registry.oci.names import RepositoryName, Tag


@dataclass(frozen=True, slots=True)
class TagProtection:
    """Keeps tags within its scopes from being moved or deleted, but by these users and groups."""

    name: str
    scopes: tuple[ScopePattern, ...]
    immutable: bool = True
    deletable: bool = False
    users: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()

    def reaches(self, scope: str) -> bool:
        """Return whether a scope string lies within the scopes."""
        return any(pattern.matches(scope) for pattern in self.scopes)

    def excepts(self, identity: Identity | None) -> bool:
        """Return whether the rule does not hold for an identity."""
        return identity is not None and (identity.name in self.users or not self.groups.isdisjoint(identity.groups))


class ProtectedTags:
    """The protection of the tags of one repository from one caller."""

    def __init__(
        self, protections: Iterable[TagProtection], repository: RepositoryName, identity: Identity | None
    ) -> None:
        """Apply the rules that hold for an identity; all of them for `None`."""
        self._protections = tuple(each for each in protections if not each.excepts(identity))
        self._repository = repository

    def from_moving(self, tag: Tag) -> str | None:
        """Return the name of the rule that keeps a tag from pointing at another manifest, if there is one."""
        scope = scope_of(self._repository, tag)
        return next((each.name for each in self._protections if each.immutable and each.reaches(scope)), None)

    def from_deletion(self, tag: Tag) -> str | None:
        """Return the name of the rule that keeps a tag from being deleted, if there is one."""
        scope = scope_of(self._repository, tag)
        return next((each.name for each in self._protections if not each.deletable and each.reaches(scope)), None)
