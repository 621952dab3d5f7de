"""Running `fsck` of a subject over a data directory, and reading what it says."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import ROOT
from harness.subjects import Subject

SECONDS = 4000


class Failed(AssertionError):
    """The command did not come to an end as it should; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one run said: its exit code, its findings, its summary."""

    code: int
    findings: Sequence[dict[str, Any]]
    summary: dict[str, Any]

    def about(self) -> list[tuple[str, str]]:
        """Return the kind of each finding and what it is about; remarks are left out."""
        return sorted((finding["finding"], subject_of(finding)) for finding in self.findings if not finding["remark"])


def subject_of(finding: dict[str, Any]) -> str:
    """Return what a finding is about: `repository:tag`, `repository@digest`, a digest or a path."""
    repository, digest, tag = finding.get("repository"), finding.get("digest"), finding.get("tag")
    if repository is None or (digest is None and "path" in finding):
        return str(digest or finding["path"])
    if tag is not None:
        return f"{repository}:{tag}"
    return f"{repository}@{digest}" if digest else str(repository)


def fsck(subject: Subject, folder: Path, *options: str) -> Said:
    """Check `folder/data` an hour later than it is, so that every file counts as old.

    Raises: Failed.
    """
    (said,) = said_by(_run(subject, folder, ["faults.fsck.one_hour_later"], ["fsck", *options]))
    return said


def fsck_for(subject: Subject, folder: Path, seconds: float) -> list[Said]:
    """Check `folder/data` in one process over and over, in turn in every way.

    Raises: Failed.
    """
    return said_by(_run(subject, folder, ["faults.fsck.repeatedly", str(seconds)], ["fsck"]))


def said_by(lines: Iterable[str]) -> list[Said]:
    """Read what one check after the other wrote with `--json`."""
    said: list[Said] = []
    findings: list[dict[str, Any]] = []
    for line in map(json.loads, lines):
        if "summary" in line:
            said.append(Said(1 if line["summary"]["remaining"] else 0, findings, line["summary"]))
            findings = []
        else:
            findings.append(line)
    return said


def _run(subject: Subject, folder: Path, module: Sequence[str], words: Sequence[str]) -> list[str]:
    """Run words of the subject's program through a module that changes it first; return the lines that it wrote."""
    apart = folder / "fsck"  # a running server follows the documents that `command` writes
    apart.mkdir(exist_ok=True)
    command = subject.command(apart, folder / "data", "127.0.0.1:1")
    program = list(command.arguments[: command.arguments.index("serve")])
    at = program.index("-m") + 1
    program[at : at + 1] = module
    done = subprocess.run(
        [*program, *words, "-datadir", str(folder / "data"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": str(ROOT), **command.environment},
    )
    lines: list[str] = done.stdout.splitlines()
    said = said_by(lines)
    if "Traceback" in done.stderr or not said or done.returncode != max(each.code for each in said):
        raise Failed(f"exit code {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    return lines
