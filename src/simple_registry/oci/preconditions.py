"""What a reference must, and must not, name for a change to be made (RFC 9110, section 13.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Reference


@dataclass(frozen=True, slots=True)
class PreconditionUnmet:
    """A reference that names `current` (`None`: nothing), which a precondition does not allow."""

    reference: Reference
    current: Digest | None


@dataclass(frozen=True, slots=True)
class Precondition:
    """Conditions of one request, all of which must hold; the default asks for nothing.

    `exists` is `If-Match: *`, `one_of` its list; `absent` is `If-None-Match: *`, `none_of` its list.
    """

    exists: bool = False
    one_of: frozenset[Digest] | None = None
    absent: bool = False
    none_of: frozenset[Digest] = frozenset()

    def holds(self, current: Digest | None) -> bool:
        """Return whether a change may be made of a reference that names this content, or nothing, at the moment."""
        if current is None:
            return not self.exists and self.one_of is None
        wanted = self.one_of is None or current in self.one_of
        return wanted and not self.absent and current not in self.none_of

    def unmet(self, named: Iterable[tuple[Reference, Digest | None]]) -> PreconditionUnmet | None:
        """Return the first of some references for which it does not hold."""
        return next((PreconditionUnmet(*each) for each in named if not self.holds(each[1])), None)


UNCONDITIONAL = Precondition()
