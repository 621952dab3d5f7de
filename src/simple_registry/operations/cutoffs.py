"""Cutoff times for the age of rows, corrected for jumps of the wall clock.

Rows are dated by the wall clock, because it is the only clock that survives a restart. It can jump: by an hour, or by
fifty years when a machine without a battery reaches its time server. A jump must not expire young rows: a session in
use, content deleted a minute ago, a token.

    forward   rows written before the jump keep their age; the monotonic clock adds to it
    back      rows written before the jump are dated in the future, and age from now on (`MAX_SKEW`)

A jump matters until it is older than the age in question: then all rows from before it are old enough. A jump between
two runs of the registry cannot be detected and counts as time that passed.
"""

from simple_registry.clock import Clock

MIN_JUMP = 60.0
"""Seconds between the two clocks that count as a jump. Time servers correct less at a time."""

MAX_SKEW = 3600.0
"""Seconds by which a row may be dated in the future: other processes read the clock a moment later."""


class Cutoffs:
    """Computes cutoff times. It must be called at least every few hours."""

    def __init__(self, clock: Clock) -> None:
        """Watch `clock` for jumps since the program started, also before this process was forked."""
        self._clock = clock
        self._last = clock.started()
        self._jumped_at = float("-inf")
        self._jumped_by = 0.0

    def before(self, age: float) -> float:
        """Return the wall-clock time of rows that are `age` seconds old; older rows have earlier times."""
        self._observe()
        fresh = self._last.monotonic - self._jumped_at < age
        return self._last.wall - age - (self._jumped_by if fresh else 0.0)

    def future(self) -> float:
        """Return the wall-clock time after which a row is dated wrongly."""
        self._observe()
        return self._last.wall + MAX_SKEW

    def _observe(self) -> None:
        """Detect a jump since the last call; a jump back only cancels one forward."""
        last, self._last = self._last, self._clock.read()
        jump = (self._last.wall - last.wall) - (self._last.monotonic - last.monotonic)
        if abs(jump) >= MIN_JUMP:
            self._jumped_at = self._last.monotonic
            self._jumped_by = max(0.0, self._jumped_by + jump)
