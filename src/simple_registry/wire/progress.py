"""How slowly a client may send or read before it is given up.

Only the time during which the client is waited for counts. A slow disk of ours is never held against it, and a client
that trickles bytes cannot hold its connection open.
"""


class Progress:
    """Measures one body, or one answer, against the least rate: so many bytes within each period of waiting."""

    def __init__(self, *, period: float, rate: float) -> None:
        """Require `rate` bytes a second, averaged over `period` seconds of waiting."""
        self._period = period
        self._wanted = period * rate
        self._moved = 0.0
        self._patience = period
        self._since: float | None = None

    def wait(self, now: float) -> float:
        """Begin to wait for the client; return when the waiting must end."""
        if self._since is None:
            self._since = now
        return self._since + self._patience

    def moved(self, size: int, now: float) -> None:
        """Count bytes that came, or were taken, and stop waiting."""
        if self._since is not None:
            self._patience -= now - self._since
            self._since = None
        self._moved += size
        if self._moved >= self._wanted:
            self._moved, self._patience = 0.0, self._period
