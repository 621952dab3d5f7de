"""Workers and their places: when a place is filled again, and when connections are kept from it.

filled ──worker dies──► empty: filled at once, or a little later each time when those before hardly served
└──► empty for long: connections go to the other places until a worker serves here
"""

from dataclasses import dataclass, field

# Twice within this many seconds a worker may die that hardly served, and its slot be refilled at once; then it waits a
# little longer each time.
_FLAPPING = 10.0
_LONGEST_DELAY = 5.0
SERVED = 0.25
"""A worker that served for so many seconds is replaced at once, however many died: the next one costs less to start."""
UNSERVED = 5.0
"""Seconds for which connections wait for the next worker of a slot, while other slots serve."""


@dataclass(eq=False, slots=True)
class Worker:
    """A running worker process."""

    pid: int
    slot: "Slot"
    report: int
    """The pipe on which it says that it is ready, or why it cannot be."""
    row: int | None = None
    """The number of its row for metrics."""
    said: bytes = b""
    ready: bool = False
    serves_since: float | None = None
    heard: float = 0.0
    """When its last report came."""
    deadline: float | None = None
    """When it is killed, once it was told to stop."""

    def reason(self, code: int) -> str:
        """Return why it ended with this exit code; a negative one is that of a signal."""
        if self.said and not self.ready:
            return self.said.decode(errors="replace")
        if code < 0:
            return f"killed by signal {-code}"
        return f"it ended with code {code}"

    @property
    def fields(self) -> dict[str, object]:
        """What log lines say of it."""
        return {"fields": {"worker": self.slot.number, "pid": self.pid}}


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one worker: its number, who fills it, and when those before died."""

    number: int
    current: Worker | None = None
    successor: Worker | None = None
    """Started by a reload; takes the slot when it is ready."""
    deaths: list[float] = field(default_factory=list)
    refill_at: float | None = None
    unserved_since: float | None = None
    resting: bool = False
    """Whether connections are kept from its sockets."""

    @property
    def serves(self) -> bool:
        """Whether its worker is ready."""
        return self.current is not None and self.current.ready

    def welcome(self, worker: Worker) -> Worker | None:
        """Take note that a worker is ready; return the one that it succeeds, if there is one."""
        before = None
        if self.successor is worker:
            self.successor, before = None, self.current
            self.current, self.refill_at = worker, None
        self.unserved_since, self.resting = None, False
        return before

    def died(self, now: float, *, served: float = 0.0) -> None:
        """Note the death of a worker that had `served` for so long, and when the slot is to be filled again."""
        self.current = None
        if self.unserved_since is None:
            self.unserved_since = now
        if served >= SERVED:
            self.deaths, self.refill_at = [], now
            return
        self.deaths = [moment for moment in self.deaths if now - moment < _FLAPPING] + [now]
        again = len(self.deaths) - 2
        self.refill_at = now + (0.0 if again <= 0 else min(_LONGEST_DELAY, 0.1 * 2.0**again))

    def is_unserved(self, now: float) -> bool:
        """Return whether connections have waited here for long enough."""
        return self.unserved_since is not None and now >= self.unserved_since + UNSERVED and not self.resting
