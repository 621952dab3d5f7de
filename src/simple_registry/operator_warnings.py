"""What an operator should know before it becomes an outage. `/readyz`, the metrics and the log all read it here.

    a check returns a text ──► since then a warning ──► in the log at once, and again each day
                      None ──► none any more        ──► in the log

Every worker checks for itself, since any of them may be asked; one of them writes the log.
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from simple_registry.clock import Clock
from simple_registry.periodic import repeat
from simple_registry.sizes import readable
from simple_registry.storage.stores import DiskSpace

INTERVAL = 10.0
"""Seconds between two checks."""
REMINDER = 24 * 3600.0
"""Seconds after which the log repeats a warning."""

SHORT_SHARE = 10
"""Free space is short below this part of the disk, one in ten,"""
SHORT_SPACE = 50 * 1024**3
"""or below these bytes, where that is less. A large disk has more than it needs long before a tenth is left."""

_log = logging.getLogger("simple_registry")


class About(StrEnum):
    """What a warning is about."""

    CERTIFICATE = "certificate"
    RELOAD = "reload"
    RULES = "rules"
    SPACE = "space"


LOGGED_ELSEWHERE = frozenset({About.RELOAD, About.RULES})
"""Their begin and end have a line where they happen; only the reminders are written here."""

Check = Callable[[], str | None]
"""Returns the text of a warning, or `None` if there is no reason for one. Called on the event loop."""


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning, and when this process first had a reason for it."""

    text: str
    since: float


class OperatorWarnings:
    """The warnings of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._checks: dict[About, Check] = {}
        self._since: Mapping[About, float] = {}
        self._logged: dict[About, float] = {}
        self.logs = False
        """Whether this process writes the log."""

    def watch(self, about: About, check: Check) -> None:
        """Warn about this while `check` returns a text."""
        self._checks[about] = check

    def current(self) -> Mapping[About, Warned]:
        """Check now, and return the warnings."""
        texts = {about: check() for about, check in self._checks.items()}
        now, before = self._clock.now(), self._since
        found = {about: Warned(text, before.get(about, now)) for about, text in texts.items() if text is not None}
        self._since = {about: warned.since for about, warned in found.items()}
        return found

    async def run(self) -> None:
        """Check until cancelled."""
        await repeat(self._round, INTERVAL, "checking for warnings", at_once=True)

    async def _round(self) -> None:
        current = self.current()
        if self.logs:
            self._write(current)

    def _write(self, current: Mapping[About, Warned]) -> None:
        now = self._clock.now()
        for about in self._logged.keys() - current.keys():
            del self._logged[about]
            if about not in LOGGED_ELSEWHERE:
                _log.info("the warning is over: %s", about)
        for about, warned in current.items():
            last = self._logged.setdefault(about, now if about in LOGGED_ELSEWHERE else -math.inf)
            if now - last >= REMINDER:
                self._logged[about] = now
                _log.warning("%s", warned.text)


class FreeSpace:
    """Checks the free space of a disk. Two bounds, so that a disk at one of them is not reported again and again."""

    def __init__(self, space: Callable[[], DiskSpace]) -> None:
        self._space = space
        self._short = False

    def __call__(self) -> str | None:
        """Return the warning while free space is short: until there is a quarter more than where it began."""
        try:
            free, size = self._space()
        except OSError:  # requests that need the disk report it
            return None
        bound = min(size // SHORT_SHARE, SHORT_SPACE)
        self._short = free < bound * (1.25 if self._short else 1)
        return f"only {readable(free)} of {readable(size)} are free in the data directory" if self._short else None
