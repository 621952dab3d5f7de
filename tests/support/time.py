"""A clock that only tests move."""

from simple_registry.clock import Reading


class SettableClock:
    """Returns the time that was set."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.seconds = now
        self.jumped = 0.0
        self._started = self.read()

    def now(self) -> float:
        return self.seconds + self.jumped

    def monotonic(self) -> float:
        return self.seconds

    def read(self) -> Reading:
        return Reading(self.now(), self.monotonic())

    def started(self) -> Reading:
        return self._started

    def jump(self, seconds: float) -> None:
        """Set the clock on the wall forward, or back."""
        self.jumped += seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
