"""Workers and their slots, as the parent sees them; decisions only, no system calls.

    starting ──ready──► serving ──hang──► hung ──┐
        └──────stop────────┴──stop──► stopping ──┴──overdue──► killed       each ──exit──► ended

A slot is the place of one worker. When its worker dies, the slot is refilled at once, or after a delay that grows while
new workers die before they have served. A slot that stays empty leaves its connections to the others.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from simple_registry.server.worker import READY

# Two workers may die within this many seconds, before they have served, and the slot is refilled at once; then the
# delay begins to grow.
_FLAPPING = 10.0
_MAX_DELAY = 5.0
SERVED = 0.25
"""A worker that served for so many seconds is replaced at once, however many died: the next one costs less to start."""
UNSERVED = 5.0
"""Seconds for which connections wait for the next worker of a slot, while other slots serve."""
HANG = 30.0
"""Seconds without a beat after which the event loop of a worker is taken to hang."""
HANG_PAUSE = 300.0
"""Seconds between two workers that are replaced because they hang."""
DUMP_TIME = 1.0
"""Seconds in which a worker that hangs can write its stacks before it is killed."""


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
    """Its time is over, and it is killed."""
    EXIT = "exit"
    """The process has exited."""


LIFE: Mapping[State, Mapping[Event, State]] = {
    State.STARTING: {Event.READY: State.SERVING, Event.STOP: State.STOPPING, Event.EXIT: State.ENDED},
    State.SERVING: {Event.HANG: State.HUNG, Event.STOP: State.STOPPING, Event.EXIT: State.ENDED},
    State.HUNG: {Event.STOP: State.STOPPING, Event.OVERDUE: State.KILLED, Event.EXIT: State.ENDED},
    # A report that it is ready may be in the pipe when it is asked to stop. A second request, at the end of the server,
    # shortens the time that a reload gave it.
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
    """The descriptor on which it reports; closed, and -1, when it has closed its end."""
    row: int | None = None
    """The number of its row for metrics."""
    state: State = State.STARTING
    report: bytes = b""
    """What it wrote before it was ready: why it cannot start."""
    heard: float = 0.0
    """When it last reported anything."""
    serving_since: float = math.inf
    deadline: float = math.inf
    """When it is killed."""

    def apply(self, event: Event, *, deadline: float = math.inf) -> None:
        """Change its state by an event; the deadline holds if the new state has one."""
        self.state = LIFE[self.state][event]
        self.deadline = deadline if Event.OVERDUE in LIFE[self.state] else math.inf

    def hear(self, data: bytes, now: float) -> bool:
        """Take what it wrote to its pipe; return whether it has become ready by that. Later reports are beats."""
        self.heard = now
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
        """When it must be looked at: its deadline, or the time at which it is taken to hang."""
        return self.heard + HANG if self.state is State.SERVING else self.deadline

    def reason(self, code: int) -> str:
        """Return why it ended with this exit code; a negative one is that of a signal."""
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
    """The place of one worker: its number, its worker, and when those before died."""

    number: int
    current: Worker | None = None
    successor: Worker | None = None
    """Started by a reload; takes the slot when it is ready."""
    deaths: list[float] = field(default_factory=list)
    refill_at: float = math.inf
    unserved_since: float = math.inf
    resting: bool = False
    """Whether connections are kept from its sockets."""

    @property
    def serves(self) -> bool:
        """Whether its worker serves."""
        return self.current is not None and self.current.state is State.SERVING

    def fill(self, worker: Worker) -> Worker | None:
        """Note that a worker is ready; return its predecessor, which is to stop, if there is one."""
        predecessor = None
        if self.successor is worker:
            self.successor, predecessor = None, self.current
            self.current, self.refill_at = worker, math.inf
        self.unserved_since, self.resting = math.inf, False
        return predecessor

    def vacate(self, now: float, *, served: float = 0.0) -> None:
        """Note the death of a worker that had `served` for so long, and when the slot is to be filled again."""
        self.current = None
        self.unserved_since = min(self.unserved_since, now)
        if served >= SERVED:
            self.deaths, self.refill_at = [], now
            return
        self.deaths = [moment for moment in self.deaths if now - moment < _FLAPPING] + [now]
        again = len(self.deaths) - 2
        self.refill_at = now + (0.0 if again <= 0 else min(_MAX_DELAY, 0.1 * 2.0**again))

    def is_unserved(self, now: float) -> bool:
        """Return whether connections have waited here for long enough."""
        return now >= self.unserved_since + UNSERVED and not self.resting


class HangWatch:
    """Chooses a worker that hangs and is to be replaced; one at a time, with a pause between two."""

    def __init__(self) -> None:
        """Watch from now on."""
        self._replaced_at = -math.inf

    def look(self, serving: Collection[Worker], now: float) -> tuple[int, Worker | None]:
        """Return how many of the workers that serve hang, and the one to replace.

        None is replaced when all hang: then the cause is outside, a stalled disk most likely, and new workers would
        hang as well.
        """
        hung = [worker for worker in serving if worker.heard + HANG <= now]
        for worker in hung:
            worker.heard = now  # so that the next look at it comes after as long a time
        if not hung or len(hung) == len(serving) or now < self._replaced_at + HANG_PAUSE:
            return len(hung), None
        self._replaced_at = now
        return len(hung), hung[0]
