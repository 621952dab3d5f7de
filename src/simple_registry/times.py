"""Durations and moments as text: `30d`, `1.5h`, and RFC 3339."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)([smhdw])?", re.ASCII)
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1, None: 1}
_RFC_3339 = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})", re.ASCII
)
_STAMP = re.compile(r"[0-9]{8}T[0-9]{6}Z", re.ASCII)
_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_STAMP_FORM = "%Y%m%dT%H%M%SZ"
_FIRST, _LAST = -62_135_596_800, 253_402_300_799
"""The first and the last moment of the years 1 to 9999, in seconds since the epoch."""


class TimeInvalid(ValueError):
    """Not a duration, or not a moment; the message shows an example."""


@dataclass(frozen=True, slots=True)
class Window:
    """A time of the day, from `start` to `stop`, in minutes after midnight; it may pass midnight."""

    start: int
    stop: int

    def contains(self, when: float) -> bool:
        """Return whether a time in seconds since the epoch is within the window, by local time."""
        local = time.localtime(when)
        minute = local.tm_hour * 60 + local.tm_min
        if self.start <= self.stop:
            return self.start <= minute < self.stop
        return minute >= self.start or minute < self.stop

    def __str__(self) -> str:
        return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (self.start, self.stop))


def parse_window(text: str) -> Window:
    """Return the window of `02:00-05:00`.

    Raises: TimeInvalid.
    """
    match = _WINDOW.fullmatch(text)
    if match is None or match.group(1, 2) == match.group(3, 4):
        raise TimeInvalid(f"{text[:40]!r} is not a time of the day; write for example 02:00-05:00")
    return Window(int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4]))


def parse_duration(text: str) -> float:
    """Return the seconds of `30s`, `15m`, `12h`, `7d`, `2w` or a bare number of seconds; more than zero.

    Raises: TimeInvalid.
    """
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise TimeInvalid(
            f"{text[:40]!r} is not a duration; write for example 30s, 15m, 12h, 7d, 2w or a number of seconds"
        )
    return seconds


def parse_interval(text: str) -> float:
    """Return the seconds of a duration that may be zero: `0s` means at once, or never again.

    Raises: TimeInvalid.
    """
    return 0.0 if text in {"0", "0s"} else parse_duration(text)


def format_duration(seconds: float) -> str:
    """Return the text of a duration in the largest unit, up to hours, that divides it."""
    unit = next((unit for unit in "hms" if seconds and seconds % _SECONDS[unit] == 0), None)
    return f"{seconds / _SECONDS[unit]:.0f}{unit}" if unit else f"{seconds:g}s"


def parse_moment(text: str) -> float:
    """Return the seconds since the epoch of an RFC 3339 date and time, which names its offset.

    Raises: TimeInvalid.
    """
    if _RFC_3339.fullmatch(text):
        try:
            return _writable(datetime.fromisoformat(text.upper()).timestamp(), text)
        except (ValueError, OverflowError):
            pass  # such as the 30th of February
    raise TimeInvalid(f"{text[:40]!r} is not a date and time; write for example 2027-01-31T12:00:00Z")


def format_moment(when: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 writes it, in UTC, without fractions."""
    return datetime.fromtimestamp(int(when), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_stamp(when: float) -> str:
    """Return a time in seconds since the epoch as the names of files have it: `20270131T120000Z`."""
    return datetime.fromtimestamp(int(when), UTC).strftime(_STAMP_FORM)


def parse_stamp(text: str) -> float:
    """Return the seconds since the epoch of a stamp.

    Raises: TimeInvalid.
    """
    if _STAMP.fullmatch(text):
        try:
            return datetime.strptime(text, _STAMP_FORM).replace(tzinfo=UTC).timestamp()
        except ValueError:
            pass  # as above
    raise TimeInvalid(f"{text[:40]!r} is not a stamp; write for example 20270131T120000Z")


def format_instant(when: float) -> str:
    """Return a time in seconds since the epoch as RFC 3339 writes it, in UTC, with milliseconds."""
    return datetime.fromtimestamp(round(when, 3), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_past(text: str, now: float) -> float:
    """Return a moment, in seconds since the epoch: that of a date and time, or a duration ago (`2h`, `2h ago`).

    Raises: TimeInvalid.
    """
    duration = text.removesuffix("ago").rstrip()
    if _DURATION.fullmatch(duration):
        return _writable(now - parse_duration(duration), text)
    return parse_moment(text)


def parse_expiry(text: str, now: float) -> float:
    """Return when something expires, in seconds since the epoch: after a duration, or at a moment.

    Raises: TimeInvalid.
    """
    return _writable(now + parse_duration(text), text) if _DURATION.fullmatch(text) else parse_moment(text)


def _writable(when: float, text: str) -> float:
    """Return the moment that `text` means, unless it cannot be written as text again.

    Raises: TimeInvalid.
    """
    if _FIRST <= when <= _LAST:
        return when
    raise TimeInvalid(f"{text[:40]!r} is not in the years 1 to 9999")
