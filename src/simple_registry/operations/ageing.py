"""How old things are, also when somebody sets the machine's clock.

Rows say by the clock on the wall when something happened, since they outlive every other clock. That one may jump: an
hour, or fifty years when a machine without a battery finds its time server. What is younger than it looks must not go
for that reason: a session whose client is uploading, content that was let go a minute ago, a token.

    a jump forward   what was written before it is as old as it was, plus what the monotonic clock measured since
    a jump back      what was written before it lies in the future; it counts from now on (`LATER`)

Once a jump is longer ago than the age in question, everything written before it is that old, and the wall is right
again. A jump that nobody saw, between two runs of the registry, counts as time that went by.
"""

from simple_registry.clock import Clock

LEAST = 60.0
"""Seconds of difference that are no jump: time servers correct less than that, and it matters to nobody."""

LATER = 3600.0
"""Seconds by which a time must lie in the future to be wrong: other processes have read the clock a moment later."""


class Ageing:
    """Tells since when something must be there to be of some age. Asked at least every few hours."""

    def __init__(self, clock: Clock) -> None:
        """Watch `clock`; jumps since the program started are known, whichever process this is."""
        self._clock = clock
        self._last = clock.started()
        self._jumped_at = float("-inf")
        self._jumped_by = 0.0

    def before(self, age: float) -> float:
        """Return the time on the wall before which something was last touched that is older than `age` seconds."""
        self._look()
        fresh = self._last.monotonic - self._jumped_at < age
        return self._last.wall - age - (self._jumped_by if fresh else 0.0)

    def future(self) -> float:
        """Return the time on the wall after which nothing can have been touched."""
        self._look()
        return self._last.wall + LATER

    def _look(self) -> None:
        """See whether the clock on the wall jumped since the last look; jumps back only undo those forward."""
        last, self._last = self._last, self._clock.read()
        jump = (self._last.wall - last.wall) - (self._last.monotonic - last.monotonic)
        if abs(jump) >= LEAST:
            self._jumped_at = self._last.monotonic
            self._jumped_by = max(0.0, self._jumped_by + jump)
