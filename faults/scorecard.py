"""Every campaign against every registry, and each planted bug against the campaign that must catch it.

    python -m faults.scorecard [--write] [campaign ...]       (make faults-table)

Prints two tables; with `--write` they become docs/results/durability.md. Ours is tested for as long as in `make
faults`, the others for seconds, which is enough for most faults.
"""

import argparse
import platform
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from faults.clocks import EVERY_SECOND, clocks
from faults.collection.campaign import collection, held
from faults.crashes.kills import kills
from faults.crashes.power import power
from faults.damage.content import damage
from faults.damage.database import lost_database
from faults.disk.full import full_disk
from faults.disk.read_only import read_only
from faults.fsck.damage import fsck_campaign
from faults.fsck.online import collecting, fsck_online
from faults.histories.campaign import histories
from faults.injection.campaign import injection
from faults.order.campaign import order
from faults.scores import Campaign, Scale, Score
from faults.sessions.campaign import sessions
from faults.starvation import starvation
from harness import ROOT
from harness.result_pages import publish
from harness.subjects import OURS, Subject, ours, peers

OURSELVES = re.compile(rf"\S*/src/(?=simple_registry/)|<?{re.escape(str(ROOT))}[/>]?")
"""The path of this checkout, also at the start of a truncated path."""
LONGEST = 160
"""Characters of an example."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A campaign, and the planted bugs that it is to catch.

    `like_ours` makes our registry as the campaign wants it; `others` says whether it can judge other registries, too.
    """

    campaign: Campaign
    bugs: Sequence[str]
    like_ours: Callable[..., Subject] = ours
    others: bool = True


ENTRIES = {
    "kills": Entry(kills, ("answer-before-commit", "dropped-tag", "file-removed-before-rename", "row-before-file")),
    # ext4 commits the name of a file with its bytes, so only the order of calls shows a missing sync of a directory.
    "power": Entry(power, ("no-data-fsync", "synchronous-normal", "received-before-durable")),
    "order": Entry(
        order, ("no-data-fsync", "no-directory-fsync", "synchronous-normal", "answer-before-commit", "row-before-file")
    ),
    "injection": Entry(injection, ("swallowed-enospc", "swallowed-fsync-error", "retried-fsync", "log-never-suspect")),
    "full-disk": Entry(full_disk, ("no-room-for-the-log", "swallowed-enospc", "refused-bytes-are-kept")),
    "read-only": Entry(read_only, ("the-log-is-overlooked", "read-only-is-any-fault")),
    "damage": Entry(
        damage,
        ("no-size-check", "stamps-ignored", "manifests-unchecked", "manifests-from-memory", "existing-content-is-kept"),
    ),
    "lost-database": Entry(lost_database, ("begun-anew",), others=False),
    "fsck": Entry(fsck_campaign, ("blind-fsck", "trusting-fsck", "removing-fsck"), others=False),
    "fsck-online": Entry(fsck_online, ("hasty-fsck",), like_ours=collecting, others=False),
    "clocks": Entry(clocks, ("ages-by-the-wall",), like_ours=partial(ours, configuration=EVERY_SECOND), others=False),
    "collections": Entry(
        collection,
        (
            *("no-lease", "no-grace", "sweep-without-recheck", "parts-do-not-wait", "mark-without-referrers"),
            *("mark-without-blobs-of-indexes", "many-collectors", "condemned-content-revives"),
            *("dead-collectors-leave", "idle-collector"),
        ),
        like_ours=held,
        others=False,
    ),
    "histories": Entry(
        histories,
        (
            *("stale-cache", "lost-tag-update", "deletion-of-nothing"),
            *("mount-of-anything", "undone-deletion", "short-listing"),
        ),
    ),
    "sessions": Entry(sessions, ("no-session-lock", "resume-trusts-client")),
    "starvation": Entry(starvation, ("sleeping-writers",), like_ours=partial(ours, workers=4)),
}


def scores(names: Iterable[str], folder: Path) -> Iterable[Score]:
    """Run the campaigns of these names on ours and on the others."""
    for name in names:
        entry = ENTRIES[name]
        yield run(name, entry.like_ours(), folder, Scale.QUICK)
        for subject in peers() if entry.others else ():
            yield run(name, subject, folder, Scale.PROOF)


def catches(names: Iterable[str], folder: Path) -> Iterable[tuple[str, Score]]:
    """Run the campaigns of these names on ours with each bug that they are to catch."""
    for name in names:
        for bug in ENTRIES[name].bugs:
            yield bug, run(name, ENTRIES[name].like_ours(bug=bug), folder, Scale.PROOF)


def run(name: str, subject: Subject, folder: Path, scale: Scale) -> Score:
    """Run one campaign on one subject; one that stops it is a score, too."""
    where = folder / re.sub(r"[^a-z0-9]+", "-", f"{name} {subject.name}")
    try:
        score = ENTRIES[name].campaign(subject, where, scale)
    except Exception as error:  # noqa: BLE001 (a registry that cannot go on says so in the table)
        score = Score(name, subject.name, "not finished", [f"{type(error).__name__}: {error}"])
    print(score, file=sys.stderr, flush=True)
    return score


def table(found: Sequence[Score]) -> str:
    """Return what came of every campaign, a row each, a column for each registry."""
    subjects = list(dict.fromkeys(score.subject for score in found))
    lines = [f"| campaign | {' | '.join(subjects)} |", f"|---|{'---|' * len(subjects)}"]
    for campaign in dict.fromkeys(score.campaign for score in found):
        row = {score.subject: score for score in found if score.campaign == campaign}
        cells = [_cell(row[subject]) if subject in row else "not asked" for subject in subjects]
        lines.append(f"| {campaign} | {' | '.join(cells)} |")
    return "\n".join(lines)


def catch_table(found: Sequence[tuple[str, Score]]) -> str:
    """Return which campaign caught which planted bug, and what it saw."""
    lines = ["| planted bug | campaign | caught by |", "|---|---|---|"]
    lines += [
        f"| `{bug}` | {score.campaign} | {_brief(score.faults[0]) if score.faults else '**not caught**'} |"
        for bug, score in found
    ]
    return "\n".join(lines)


def _cell(score: Score) -> str:
    if score.passed:
        return f"**passed**: {_escaped(score.figures)}"
    return f"{len(score.faults)} faults: {_escaped(score.figures)}. First: {_brief(score.faults[0])}"


def _brief(text: str) -> str:
    first = OURSELVES.sub("", text.strip().splitlines()[0])
    return _escaped(first if len(first) <= LONGEST else f"{first[:LONGEST]}…")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def main() -> int:
    """Run and print, or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaigns", nargs="*", default=list(ENTRIES), metavar="campaign", help=", ".join(ENTRIES))
    parser.add_argument("--write", action="store_true", help="write docs/results/durability.md")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as temporary:
        found = list(scores(options.campaigns, Path(temporary)))
        caught = list(catches(options.campaigns, Path(temporary)))
    kernel = platform.release().split("-")[0]
    when = f"Measured on {datetime.now(UTC):%Y-%m-%d}, Linux {kernel}, ext4."
    text = "\n\n".join([when, table(found), catch_table(caught)])
    print(text)
    if options.write:
        publish("durability", "make faults-table", text)
    return 0 if all(score.passed for score in found if score.subject == OURS.name) else 1


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # not without ending what was started
    sys.exit(main())
