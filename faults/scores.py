"""The result of a campaign: one row of the table in docs/results/durability.md.

A campaign is a function `campaign(subject: Subject, folder: Path, scale: Scale) -> Score`: it starts the subject over
`folder`, breaks it, and counts. It never asserts; its test does, so that the same code can test registries that fail.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from harness.subjects import Subject

EXAMPLES = 10
"""Most examples that a score shows."""


class Scale(StrEnum):
    """How long a campaign may take."""

    PROOF = "proof"
    """Seconds: enough to catch a planted bug."""
    QUICK = "quick"
    """A minute or two: `make faults`."""
    FULL = "full"
    """Hours in all: `make faults-full`."""


@dataclass(frozen=True, slots=True)
class Score:
    """What came of a campaign."""

    campaign: str
    subject: str
    figures: str
    """What was done and measured, in one line: `200 kills, 5,123 acknowledged, 0 lost`."""
    faults: Sequence[str]
    """Every broken promise, in a line each; none means passed."""

    @property
    def passed(self) -> bool:
        return not self.faults

    def __str__(self) -> str:
        verdict = "passed" if self.passed else f"{len(self.faults)} faults"
        lines = [f"{self.campaign}: {self.subject}: {verdict}: {self.figures}"]
        lines += [f"    {fault}" for fault in self.faults[:EXAMPLES]]
        return "\n".join(lines)


Campaign = Callable[[Subject, Path, Scale], Score]
