"""Workers and their slots, as the parent sees them; decisions only, no system calls.

    starting ──ready──► serving ──hang──► hung ──┐
        └──────stop────────┴──stop──► stopping ──┴──overdue──► killed       each ──exit──► ended

A slot is the place of one worker. When its worker dies, the slot is refilled: at once, or with growing delays while new
workers die before they have served. A slot that stays empty leaves its connections to the others.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simple_registry.server.worker import READY

# After two deaths within this many seconds, before the worker has served, the delay starts to grow.
_FLAPPING_TIME = 10.0
_MAX_DELAY = 5.0
SERVED_TIME = 0.25
"""Seconds after which a worker counts as having served; it is replaced at once, after any number of deaths."""
UNSERVED_TIME = 5.0
"""Seconds for which connections wait for the next worker of a slot, if other slots serve."""
HANG_TIME = 30.0
"""Seconds without a beat after which the event loop of a worker counts as hung."""
HANG_PAUSE = 300.0
"""Minimum seconds between two replacements of hung workers."""
DUMP_TIME = 1.0
"""Seconds for a hung worker to write its stacks before it is killed."""


class State(StrEnum):
    """The state of a worker process."""

    STARTING = "starting"
    SERVING = "serving"
    HUNG = "hung"
    STOPPING = "stopping"
    KILLED = "killed"
    ENDED = "ended"


class Event(StrEnum):
    """What happens to a worker process."""

    READY = "ready"
    """It reports that it accepts connections."""
    HANG = "hang"
    """Its event loop hangs, and it is asked for its stacks."""
    STOP = "stop"
    """It is asked to finish and exit."""
    OVERDUE = "overdue"
    """Its deadline has passed, and it is killed."""
    EXIT = "exit"
    """The process has exited."""


LIFE: Mapping[State, Mapping[Event, State]] = {
    State.STARTING: {Event.READY: State.SERVING, Event.STOP: State.STOPPING, Event.EXIT: State.ENDED},
    State.SERVING: {Event.HANG: State.HUNG, Event.STOP: State.STOPPING, Event.EXIT: State.ENDED},
    State.HUNG: {Event.STOP: State.STOPPING, Event.OVERDUE: State.KILLED, Event.EXIT: State.ENDED},
    # READY may already be in the pipe when the worker is asked to stop. A second STOP, at the end of the server, sets
    # an earlier deadline than the one of a reload.
    State.STOPPING: {
        Event.READY: State.STOPPING,
        Event.STOP: State.STOPPING,
        Event.OVERDUE: State.KILLED,
        Event.EXIT: State.ENDED,
    },
    State.KILLED: {Event.READY: State.KILLED, Event.STOP: State.KILLED, Event.EXIT: State.ENDED},
    State.ENDED: {},
}
"""The next state of a worker, by its state and the event. What is not listed cannot happen."""


@dataclass(eq=False, slots=True)
class Worker:
    """A worker process."""

    pid: int
    slot: "Slot"
    pipe: int
    """The descriptor of its reports; -1 when the worker has closed its end."""
    row: int | None = None
    """The number of its row for metrics."""
    state: State = State.STARTING
    report: bytes = b""
    """Its output before it is ready: why it cannot start."""
    last_report: float = 0.0
    """The time of its last report."""
    serving_since: float = math.inf
    deadline: float = math.inf
    """When it is killed."""

    def apply(self, event: Event, *, deadline: float = math.inf) -> None:
        """Apply an event; the deadline counts only in states that can be overdue."""
        self.state = LIFE[self.state][event]
        self.deadline = deadline if Event.OVERDUE in LIFE[self.state] else math.inf

    def read_report(self, data: bytes, now: float) -> bool:
        """Handle bytes from its pipe; return whether they make it ready. Later bytes are beats."""
        self.last_report = now
        if self.serving_since < math.inf:
            return False
        self.report += data
        if not self.report.startswith(READY):
            return False
        self.serving_since = now
        before = self.state
        self.apply(Event.READY, deadline=self.deadline)
        return self.state is not before

    @property
    def due(self) -> float:
        """When to check it: its deadline, or when it would count as hung."""
        return self.last_report + HANG_TIME if self.state is State.SERVING else self.deadline

    def reason(self, code: int) -> str:
        """Return why it ended with this exit code; a negative code is a signal."""
        if self.report and self.serving_since == math.inf:
            return self.report.decode(errors="replace")
        if code < 0:
            return f"killed by signal {-code}"
        return f"it ended with code {code}"

    @property
    def fields(self) -> dict[str, object]:
        """Its fields for log lines."""
        return {"fields": {"worker": self.slot.number, "pid": self.pid}}


@dataclass(eq=False, slots=True)
class Slot:
    """The place of one worker: its number, its worker, and the deaths of earlier ones."""

    number: int
    current: Worker | None = None
    successor: Worker | None = None
    """The new worker of a reload; takes the slot when it is ready."""
    deaths: list[float] = field(default_factory=list)
    refill_at: float = math.inf
    unserved_since: float = math.inf
    paused: bool = False
    """Whether its sockets accept no connections."""

    @property
    def serves(self) -> bool:
        """Whether its worker serves."""
        return self.current is not None and self.current.state is State.SERVING

    def fill(self, worker: Worker) -> Worker | None:
        """Record that a worker is ready; return the predecessor to stop, if there is one."""
        predecessor = None
        if self.successor is worker:
            self.successor, predecessor = None, self.current
            self.current, self.refill_at = worker, math.inf
        self.unserved_since, self.paused = math.inf, False
        return predecessor

    def vacate(self, now: float, *, served: float = 0.0) -> None:
        """Record the death of a worker that had `served` for this time, and schedule the next one."""
        self.current = None
        self.unserved_since = min(self.unserved_since, now)
        if served >= SERVED_TIME:
            self.deaths, self.refill_at = [], now
            return
        self.deaths = [moment for moment in self.deaths if now - moment < _FLAPPING_TIME] + [now]
        again = len(self.deaths) - 2
        self.refill_at = now + (0.0 if again <= 0 else min(_MAX_DELAY, 0.1 * 2.0**again))

    def is_unserved(self, now: float) -> bool:
        """Return whether the slot has had no worker for too long, and still accepts connections."""
        return now >= self.unserved_since + UNSERVED_TIME and not self.paused


class HangWatch:
    """Chooses hung workers to replace: one at a time, with a pause in between."""

    def __init__(self) -> None:
        self._replaced_at = -math.inf

    def check(self, serving: Collection[Worker], now: float) -> tuple[int, Worker | None]:
        """Return the number of hung workers among those that serve, and the one to replace, if any.

        If all hang, none is replaced: the cause is probably a stalled disk, and new workers would hang too.
        """
        hung = [worker for worker in serving if worker.last_report + HANG_TIME <= now]
        for worker in hung:
            worker.last_report = now  # so that it is reported again only after the same time
        if not hung or len(hung) == len(serving) or now < self._replaced_at + HANG_PAUSE:
            return len(hung), None
        self._replaced_at = now
        return len(hung), hung[0]
