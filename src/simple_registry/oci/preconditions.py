"""Conditional changes: what a reference must or must not name (RFC 9110, section 13.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference


@dataclass(frozen=True, slots=True)
class PreconditionUnmet:
    """A reference that names `current` (`None`: nothing) although a precondition forbids it."""

    reference: Reference
    current: Digest | None


@dataclass(frozen=True, slots=True)
class Precondition:
    """The conditions of a request, all of which must hold; the default has none.

    `exists` is `If-Match: *`, `one_of` its list; `absent` is `If-None-Match: *`, `none_of` its list.
    """

    exists: bool = False
    one_of: frozenset[Digest] | None = None
    absent: bool = False
    none_of: frozenset[Digest] = frozenset()

    def holds(self, current: Digest | None) -> bool:
        """Return whether the conditions hold for a reference that names `current` (`None`: nothing)."""
        if current is None:
            return not self.exists and self.one_of is None
        wanted = self.one_of is None or current in self.one_of
        return wanted and not self.absent and current not in self.none_of

    def unmet(self, named: Iterable[tuple[Reference, Digest | None]]) -> PreconditionUnmet | None:
        """Return the first reference for which they do not hold."""
        return next((PreconditionUnmet(*each) for each in named if not self.holds(each[1])), None)


UNCONDITIONAL = Precondition()
