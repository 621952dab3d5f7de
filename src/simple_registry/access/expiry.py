"""When something expires, as people write it: after a time (`30d`), or at one (RFC 3339)."""

import re
from datetime import datetime

_DURATION = re.compile(r"([0-9]{1,12})([smhdw]?)", re.ASCII)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)


class ExpiryInvalid(ValueError):
    """A text that is neither; the message says what one looks like."""


def parse_lifetime(text: str) -> float:
    """Return seconds: a whole number of them, or of minutes (`m`), hours (`h`), days (`d`) or weeks (`w`).

    Raises: ExpiryInvalid.
    """
    match = _DURATION.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise ExpiryInvalid(f"{text[:40]!r} is no duration; write 30d, 12h, 2w or a number of seconds")
    return float(int(match[1]) * _SECONDS[match[2]])


def parse_moment(text: str) -> float:
    """Return seconds since the epoch.

    Raises: ExpiryInvalid.
    """
    if _RFC_3339.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper()).timestamp()
        except (ValueError, OverflowError):
            pass  # such as the 30th of February
    raise ExpiryInvalid(f"{text[:40]!r} is no date; write 2027-01-31T12:00:00Z")


def parse_expiry(text: str, now: float) -> float:
    """Return when something expires that expires after, or at, what `text` says.

    Raises: ExpiryInvalid.
    """
    return now + parse_lifetime(text) if _DURATION.fullmatch(text) else parse_moment(text)
