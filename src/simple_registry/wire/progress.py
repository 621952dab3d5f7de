"""The minimum rate at which a client must send or read.

Only time spent waiting for the client counts, so a slow disk on our side never makes a client late. A client that
trickles bytes cannot hold its connection open.
"""


class Progress:
    """Compares the progress of one body or one answer with the minimum rate."""

    def __init__(self, *, period: float, rate: float) -> None:
        """Require `rate` bytes a second, averaged over `period` seconds of waiting."""
        self._period = period
        self._wanted = period * rate
        self._moved = 0.0
        self._patience = period
        self._since: float | None = None

    def wait(self, now: float) -> float:
        """Start waiting for the client; return the deadline."""
        if self._since is None:
            self._since = now
        return self._since + self._patience

    def moved(self, size: int, now: float) -> None:
        """Count bytes sent or received, and stop waiting. Enough bytes start a new period."""
        if self._since is not None:
            self._patience -= now - self._since
            self._since = None
        self._moved += size
        if self._moved >= self._wanted:
            self._moved, self._patience = 0.0, self._period
