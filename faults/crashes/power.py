"""The campaign of power cuts: the disk stops at any moment, and unwritten data is lost.

    clients push ──► cut ──► kill ──► mount again ──► start ──► verify

Most cuts come at the moment of an acknowledgement, when a missing fsync shows; some at a random time, and some while
all clients pause, when every request was acknowledged.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

from faults.crashes.trial import Trial, did_not_start, summary
from faults.ext4 import Ext4
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Subject


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of it."""

    eras: int
    """How often to begin with a new disk."""
    cycles: int
    """Cuts in each era."""
    clients: int


PLANS = {Scale.PROOF: Plan(1, 8, 4), Scale.QUICK: Plan(1, 50, 4), Scale.FULL: Plan(10, 100, 8)}
LONG = 400
"""Acknowledgements after which a database has begun to overwrite its log instead of making it longer.

Until then ext4 syncs the names of files along with the new length of the log, so a forgotten fsync of a directory does
not show.
"""
LONG_SECONDS = 15.0


@dataclass(slots=True)
class _Count:
    cuts: int = 0
    acknowledged: int = 0
    checked: int = 0


def power(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Cut the power of `subject` over and over; count what it lost.

    Raises: NoDisk where that cannot be done.
    """
    plan, count, faults = PLANS[scale], _Count(), []
    for era in range(plan.eras):
        place = folder / f"era{era}"
        with (
            Ext4(place) as disk,
            Trial(subject, place, seed=era + 1, clients=plan.clients, data=disk.path / "data") as trial,
        ):
            try:
                _era(trial, disk, count, cycles=plan.cycles, random=Random(era), scale=scale)
            except DidNotStart as error:
                trial.faults.append(did_not_start(error))
            faults += trial.faults
            count.acknowledged += trial.ledger.acknowledged
            count.checked += trial.verifier.checked
    figures = f"{count.cuts} cuts, {count.acknowledged:,} acknowledged, {count.checked:,} looked at"
    return Score("power cuts", subject.name, f"{figures}, {summary(faults)}", faults)


def _era(trial: Trial, disk: Ext4, count: _Count, *, cycles: int, random: Random, scale: Scale) -> None:
    def cut() -> None:
        trial.workload.look_away()
        trial.ledger.power = False
        disk.cut()
        trial.registry.kill()

    for cycle in range(cycles):
        long = cycle % 4 == 2
        _work(trial, LONG if long else 0, random)
        moment = random.choices(["acknowledged", "any", "rest"], [3, 1, 6] if long else [7, 2, 1])[0]
        if moment == "acknowledged":
            trial.workload.strike(cut, after=random.randint(1, 5), seconds=5)
        elif moment == "rest":
            trial.workload.pause()
            cut()
        else:
            cut()
        count.cuts += 1
        trial.restart(between=disk.replug)
        trial.verify()
        if scale is Scale.PROOF and trial.faults:
            return
        trial.workload.go_on()
    trial.finish()


def _work(trial: Trial, acknowledgements: int, random: Random) -> None:
    """Let clients work for a moment, and until so many operations were acknowledged."""
    wanted = trial.ledger.acknowledged + acknowledgements
    deadline = time.monotonic() + LONG_SECONDS
    time.sleep(random.uniform(0.1, 0.5))
    while trial.ledger.acknowledged < wanted and time.monotonic() < deadline:
        time.sleep(0.05)
