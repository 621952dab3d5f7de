"""Time as a value that is passed in, so that tests decide what o'clock it is."""

import time
from typing import NamedTuple, Protocol


class Reading(NamedTuple):
    """What both clocks said in one moment; two of them tell whether somebody set the one on the wall in between."""

    wall: float
    monotonic: float


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Return seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Return seconds on a clock that never goes back; only differences mean something."""
        ...

    def read(self) -> Reading:
        """Return both."""
        ...

    def started(self) -> Reading:
        """Return what both said when the program started, also to processes that it forked later."""
        ...


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
        """Return what both said when the program started."""
        return _STARTED


_STARTED = SystemClock().read()
