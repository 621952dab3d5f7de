"""The clock is injected, so that tests control the time."""

import time
from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """Both clocks, read at one moment; two readings show whether the wall clock was set in between."""

    wall: float
    monotonic: float


class Clock(Protocol):
    """A source of time."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences have a meaning."""

    def read(self) -> Reading:
        """Return both."""

    def started(self) -> Reading:
        """Return the reading at the start of the program, in forked processes too."""


class SystemClock:
    """The clock of the machine."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since an arbitrary moment, the same one for all processes of the machine."""
        return time.monotonic()

    def read(self) -> Reading:
        """Return both."""
        return Reading(self.now(), self.monotonic())

    def started(self) -> Reading:
        """Return the reading at the start of the program."""
        return _STARTED


_STARTED = SystemClock().read()
