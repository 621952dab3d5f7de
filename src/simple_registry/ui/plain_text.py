"""Text of clients as it is shown: bounded, and without characters that hide or reorder others.

Markup in it is no concern here: templates escape all text.
"""

import re

from simple_registry.oci.media_types import without_parameters
from simple_registry.times import TimeInvalid, parse_moment

MAX_LENGTH = 4096
"""Characters that are shown of one text."""

CUT = "…"

# C0 and C1 controls but tab and line feed; zero-width characters; marks and overrides of direction; lone surrogates.
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def plain(text: str, limit: int = MAX_LENGTH) -> str:
    """Return at most `limit` characters of a text, with an escape for each that would not be seen."""
    cut = text[:limit]
    shown = _HIDDEN.sub(_escape, cut)
    return f"{shown}{CUT}" if len(text) > len(cut) else shown


def short_type(media_type: str, limit: int = 40) -> str:
    """Return a media type without its parameters, `application/` and `vnd.`."""
    return plain(without_parameters(media_type).removeprefix("application/").removeprefix("vnd."), limit)


def moment_in(text: str) -> float | None:
    """Return the time that a client wrote, in seconds since the epoch, or `None` for any other text."""
    try:
        return parse_moment(text)
    except TimeInvalid:
        return None


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
