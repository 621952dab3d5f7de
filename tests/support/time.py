"""A clock that stands still until a test moves it."""


class SettableClock:
    """Tells the time that it was told."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.seconds = now

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
