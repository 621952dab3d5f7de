"""The campaign of kills: workers, the parent, or all processes, at random moments while clients push.

    a worker     the others keep serving; it is replaced            clients continue, open questions are verified
    the parent   its workers finish and exit                        restarted, verified
    everything   as the kernel does when memory runs out            restarted, verified

Half of the kills come at the moment of an acknowledgement. A registry with one process gets only the last kind.
"""

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults.crashes.trial import Trial, did_not_start, summary
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Subject, wait_for_the_end

PROMPT = 10.0
"""Seconds within which a client must be served again after a worker was killed."""
END_SECONDS = 40.0
"""Seconds within which workers must end whose parent was killed."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it."""

    eras: int
    """How often to begin with an empty directory."""
    cycles: int
    """Kills in each era."""
    clients: int
    work: float
    """Seconds, at most, for which clients work before a kill; half of that before one that needs no start."""
    look: int
    """Kills of workers after which, at the latest, all clients pause for a check of open questions."""


PLANS = {
    Scale.PROOF: Plan(eras=1, cycles=20, clients=4, work=1.5, look=2),
    Scale.QUICK: Plan(eras=1, cycles=200, clients=4, work=0.5, look=5),
    Scale.FULL: Plan(eras=10, cycles=200, clients=8, work=1.0, look=5),
}


@dataclass(slots=True)
class _Count:
    workers: int = 0
    parents: int = 0
    groups: int = 0
    acknowledged: int = 0
    checked: int = 0
    gap: float = 0.0

    def __str__(self) -> str:
        kills = f"{self.workers + self.parents + self.groups} kills ({self.workers} of workers, {self.parents} of the"
        kills += f" parent, {self.groups} of everything)"
        return f"{kills}, {self.acknowledged:,} acknowledged, {self.checked:,} looked at, longest gap {self.gap:.1f} s"


def kills(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Kill `subject` over and over; count what it lost."""
    plan, count, faults = PLANS[scale], _Count(), []
    for era in range(plan.eras):
        with Trial(subject, folder / f"era{era}", seed=era + 1, clients=plan.clients) as trial:
            try:
                _era(trial, plan, count, Random(era), scale)
            except DidNotStart as error:
                trial.faults.append(did_not_start(error))
            faults += trial.faults
            count.acknowledged += trial.ledger.acknowledged
            count.checked += trial.verifier.checked
            count.gap = max(count.gap, trial.workload.longest_gap)
    if count.gap > PROMPT:
        faults.append(f"a client was not served for {count.gap:.1f} s while workers were replaced")
    return Score("kills", subject.name, f"{count}, {summary(faults)}", faults)


def _era(trial: Trial, plan: Plan, count: _Count, random: Random, scale: Scale) -> None:
    has_workers = len(trial.registry.processes()) > 1
    for cycle in range(plan.cycles):
        kind = random.choices(["worker", "parent", "group"], [8, 0.5, 1.5])[0] if has_workers else "group"
        if kind == "worker":
            _kill_worker(trial, random, plan.work / 2)
            count.workers += 1
        elif kind == "parent":
            _kill_parent(trial, random, plan.work)
            count.parents += 1
        else:
            _strike(trial, trial.registry.kill, random, plan.work)
            trial.restart()
            count.groups += 1
        if kind != "worker" or cycle % plan.look == 0:
            trial.workload.pause()
            trial.verify()
            trial.workload.go_on()
        if scale is Scale.PROOF and trial.faults:
            return
    trial.finish()


def _strike(trial: Trial, action: Callable[[], None], random: Random, seconds: float) -> None:
    """Let clients work for up to `seconds`, then act: at any time, or right after an acknowledgement."""
    time.sleep(random.uniform(0.1, 1.0) * seconds)
    if random.random() < 0.5:
        trial.workload.strike(action, after=random.randint(1, 5), seconds=5)
    else:
        action()


def _kill_worker(trial: Trial, random: Random, seconds: float) -> None:
    def kill() -> None:
        workers = trial.registry.processes()[1:]
        if workers:
            with suppress(ProcessLookupError):
                os.kill(random.choice(workers), signal.SIGKILL)

    _strike(trial, kill, random, seconds)


def _kill_parent(trial: Trial, random: Random, seconds: float) -> None:
    """Kill the parent and start again once its workers have ended, which they do by themselves."""
    processes = trial.registry.processes()
    _strike(trial, lambda: os.kill(processes[0], signal.SIGKILL), random, seconds)
    if not wait_for_the_end(processes, END_SECONDS):
        trial.faults.append(f"workers live {END_SECONDS:.0f} s after their parent")
    trial.restart()
