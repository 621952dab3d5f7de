"""The campaign of collections: clients meet the collector at each of its steps, and it dies there.

    races prepare ─► all of it is old ─► a collection, held at a step ─► races act ─► nothing dies, or something does
    ─► two more graces ─► everything acknowledged is there, and everything else is gone

The collector is a process of its own beside the server, held by its pipes (`program`), so that a race is the same every
time. Content becomes old by its rows: nothing waits, and the grace is longer than any delay of a machine.
"""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from faults.collection.collector import GRACE, Failed
from faults.collection.program import STEPS
from faults.collection.races import RACES
from faults.collection.trial import Death, Trial
from faults.crashes.data_directory import check_with_fsck
from faults.crashes.trial import did_not_start
from faults.ext4 import Ext4, NoDisk
from faults.scores import Scale, Score
from harness.subjects import DidNotStart, Subject, ours

DEATHS: dict[Scale, Sequence[Death]] = {
    Scale.PROOF: (Death.NOTHING, Death.COLLECTOR),
    Scale.QUICK: tuple(Death),
    Scale.FULL: tuple(Death) * 50,
}

UNFINISHED = STEPS[2:]
"""Where a death leaves work to the next collector: before, nothing has ended."""


def held(*, bug: str = "") -> Subject:
    """Return our registry, which leaves all collections to the campaign."""
    collecting = f"{{interval: 24h, grace: {GRACE}, deleteUntagged: true}}"
    return ours(
        bug=bug,
        configuration=f"kind: Configuration\nmetadata: {{name: held}}\nspec: {{garbageCollection: {collecting}}}\n",
    )


@dataclass(slots=True)
class _Totals:
    collections: int = 0
    checked: int = 0
    longest: float = 0.0
    cuts: int = 0
    faults: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        figures = f"{self.collections} collections met by {len(RACES)} races"
        figures += f", {self.checked:,} looked at, longest collection {self.longest:.1f} s"
        return figures if self.cuts else f"{figures}, no power cuts"


def collection(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Let clients meet collections, and count what is lost, and what stays. `subject` is one of `held`."""
    totals = _Totals()
    for number, death in enumerate(DEATHS[scale]):
        try:
            _era(subject, folder / str(number), death, totals, scale)
        except NoDisk:
            continue
        if scale is Scale.PROOF and totals.faults:
            break
    return Score("collections", subject.name, str(totals), totals.faults)


def _era(subject: Subject, folder: Path, death: Death, totals: _Totals, scale: Scale) -> None:
    """Let something die at each step in turn, over one data directory."""
    with ExitStack() as stack:
        disk = stack.enter_context(Ext4(folder)) if death is Death.POWER else None
        trial = stack.enter_context(closing(Trial(subject, folder, disk)))
        for step in (*STEPS, "") if death is Death.NOTHING else UNFINISHED:
            totals.collections += 1
            try:
                trial.round(step, death)
            except (DidNotStart, Failed) as error:
                reason = did_not_start(error) if isinstance(error, DidNotStart) else str(error)
                totals.faults.append(reason)
                return
            where = f"{death} dies {f'at {step}' if step else 'after the end'}"
            totals.faults += [f"{where}: {fault}" for fault in trial.faults]
            if scale is Scale.PROOF and trial.faults:
                return
            trial.faults.clear()
        totals.faults += check_with_fsck(trial.data)
        totals.checked += trial.checked
        totals.longest = max(totals.longest, trial.longest)
        totals.cuts += death is Death.POWER
