"""Protected tags, as stores see them: a question that the transaction of a change asks.

The rules are not known here. A push that leaves a tag where it points is no move, and a new tag is none either.
"""

from collections.abc import Iterable
from typing import Protocol

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import Tag
from simple_registry.storage.records import TagProtected


class TagGuard(Protocol):
    """What keeps tags of one repository as they are. Each method returns the name of the rule that does so, if any."""

    def from_moving(self, tag: Tag) -> str | None:
        """Return the rule that keeps a tag from pointing at another manifest."""

    def from_deletion(self, tag: Tag) -> str | None:
        """Return the rule that keeps a tag from being deleted."""


def refuse_moves(
    guard: TagGuard | None, targets: Iterable[tuple[Tag, Digest | None]], digest: Digest
) -> TagProtected | None:
    """Return the first tag that must not move from its present target to `digest`."""
    if guard is None:
        return None
    moving = (tag for tag, present in targets if present not in (None, digest))
    return next((TagProtected(tag, rule) for tag in moving if (rule := guard.from_moving(tag))), None)


def refuse_deletions(guard: TagGuard | None, tags: Iterable[Tag]) -> TagProtected | None:
    """Return the first tag that must not be deleted."""
    if guard is None:
        return None
    return next((TagProtected(tag, rule) for tag in tags if (rule := guard.from_deletion(tag))), None)
