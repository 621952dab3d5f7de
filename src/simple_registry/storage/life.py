"""The life of content, as two tables of states and events.

A *holding* is what makes content part of a repository, as a blob or as a manifest. *Content* is bytes by digest, shared
by all repositories. Adapters build their statements from these tables, and their contract tests cover every pair of
state and event. An event that a state does not list changes and writes nothing.

    holdings:  push, mount ─► unneeded ─► needed       a needed manifest of the repository refers to it
                              │  ▲          │
                              │  └──────────┘          the last one was deleted, or became unneeded
                              ▼
               delete ─► deleted ─► absent             404 at once; restorable until the grace has passed
                     unneeded ─► absent                served until the grace has passed
    content:   push ─► whole ─► condemned ─► absent    the last holding of any repository ended
                        │ ▲
                        ▼ │
                      damaged                          404 everywhere until a push or a repair heals it
"""

from collections.abc import Mapping
from enum import StrEnum


class HoldingState(StrEnum):
    """The states of a holding; an absent one has no row."""

    ABSENT = "absent"
    UNNEEDED = "unneeded"
    NEEDED = "needed"
    DELETED = "deleted"


class HoldingEvent(StrEnum):
    """The events of a holding."""

    NAMED = "named"
    """A push or a mount."""
    ASKED = "asked"
    """A HEAD of a caller that may push. Unlike a push, it does not undo a deletion that came in between."""
    SEEN = "seen"
    """A HEAD of a caller that may only pull. It restarts the grace only once, so that a scanner keeps no garbage."""
    KEPT = "kept"
    """A needed manifest of the repository refers to it. For a manifest, the push itself is this event."""
    RELEASED = "released"
    """The last needed manifest that refers to it was deleted or became unneeded. For a manifest: nothing keeps it."""
    DELETED = "deleted"
    """A client deleted it."""
    RESTORED = "restored"
    """A deletion was undone."""
    EXPIRED = "expired"
    """Its grace has passed, and no manifest that could be restored refers to it."""


HOLDINGS: Mapping[HoldingState, Mapping[HoldingEvent, HoldingState]] = {
    HoldingState.ABSENT: {
        HoldingEvent.NAMED: HoldingState.UNNEEDED,
    },
    HoldingState.UNNEEDED: {
        HoldingEvent.NAMED: HoldingState.UNNEEDED,
        HoldingEvent.ASKED: HoldingState.UNNEEDED,
        HoldingEvent.SEEN: HoldingState.UNNEEDED,
        HoldingEvent.KEPT: HoldingState.NEEDED,
        HoldingEvent.DELETED: HoldingState.DELETED,
        HoldingEvent.EXPIRED: HoldingState.ABSENT,
    },
    HoldingState.NEEDED: {
        HoldingEvent.RELEASED: HoldingState.UNNEEDED,
        HoldingEvent.DELETED: HoldingState.DELETED,
    },
    HoldingState.DELETED: {
        HoldingEvent.NAMED: HoldingState.UNNEEDED,
        HoldingEvent.RESTORED: HoldingState.UNNEEDED,
        HoldingEvent.EXPIRED: HoldingState.ABSENT,
    },
}


class ContentState(StrEnum):
    """The states of content; absent content has no row."""

    ABSENT = "absent"
    WHOLE = "whole"
    """Its bytes are durable at their place, which the row alone guarantees."""
    DAMAGED = "damaged"
    CONDEMNED = "condemned"
    """Its bytes are being removed, by the collector or by the next one."""


class ContentEvent(StrEnum):
    """The events of content."""

    PLACED = "placed"
    """A push made its bytes durable at a place; confirmed in the transaction that adds the holding."""
    REFUSED = "refused"
    """Its bytes were placed for a push that was refused."""
    FOUND_DAMAGED = "found damaged"
    """A reader or a check did not find the bytes that the row guarantees."""
    REPAIRED = "repaired"
    """A check found its bytes whole."""
    UNHELD = "unheld"
    """The last holding of any repository ended."""
    REMOVED = "removed"
    """Its bytes are gone."""


CONTENTS: Mapping[ContentState, Mapping[ContentEvent, ContentState]] = {
    ContentState.ABSENT: {
        ContentEvent.PLACED: ContentState.WHOLE,
        ContentEvent.REFUSED: ContentState.CONDEMNED,
    },
    ContentState.WHOLE: {
        ContentEvent.PLACED: ContentState.WHOLE,
        ContentEvent.FOUND_DAMAGED: ContentState.DAMAGED,
        ContentEvent.UNHELD: ContentState.CONDEMNED,
    },
    ContentState.DAMAGED: {
        ContentEvent.PLACED: ContentState.WHOLE,
        ContentEvent.REPAIRED: ContentState.WHOLE,
        ContentEvent.UNHELD: ContentState.CONDEMNED,
    },
    ContentState.CONDEMNED: {
        ContentEvent.REMOVED: ContentState.ABSENT,
    },
}
