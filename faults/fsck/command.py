"""Runs `fsck` of a subject over a data directory, and reads its output."""

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import ROOT
from harness.subjects import Command, Subject

SECONDS = 4000


class Failed(AssertionError):
    """The command failed; the message is its output."""


@dataclass(frozen=True, slots=True)
class Report:
    """The output of one run."""

    code: int
    findings: Sequence[dict[str, Any]]
    summary: dict[str, Any]

    def about(self) -> list[tuple[str, str]]:
        """Return the kind of each finding and what it is about, except remarks."""
        return sorted((finding["finding"], subject_of(finding)) for finding in self.findings if not finding["remark"])


def subject_of(finding: dict[str, Any]) -> str:
    """Return what a finding is about: `repository:tag`, `repository@digest`, a digest or a path."""
    repository, digest, tag = finding.get("repository"), finding.get("digest"), finding.get("tag")
    if repository is None or (digest is None and "path" in finding):
        return str(digest or finding["path"])
    if tag is not None:
        return f"{repository}:{tag}"
    return f"{repository}@{digest}" if digest else str(repository)


def fsck(subject: Subject, folder: Path, *options: str) -> Report:
    """Check `folder/data` an hour later, so that no file is young.

    Raises: Failed.
    """
    (report,) = read_reports(_run(subject, folder, ["faults.fsck.program", "later"], ["fsck", *options]))
    return report


def fsck_for(subject: Subject, folder: Path, seconds: float) -> list[Report]:
    """Check `folder/data` repeatedly in one process, in turn in every way.

    Raises: Failed.
    """
    return read_reports(_run(subject, folder, ["faults.fsck.program", "repeat", str(seconds)], ["fsck"]))


def read_reports(lines: Iterable[str]) -> list[Report]:
    """Read the output of one or more checks with `--json`."""
    reports: list[Report] = []
    findings: list[dict[str, Any]] = []
    for line in map(json.loads, lines):
        if "summary" in line:
            reports.append(Report(1 if line["summary"]["remaining"] else 0, findings, line["summary"]))
            findings = []
        else:
            findings.append(line)
    return reports


def changed(subject: Subject, apart: Path, data: Path, module: Sequence[str]) -> Command:
    """Return the command of a subject's program through a module, with its first words, that changes it first.

    `apart` is a folder for the documents of the subject: a running server follows those in its own.
    """
    apart.mkdir(parents=True, exist_ok=True)
    command = subject.command(apart, data, "127.0.0.1:1")
    program = list(command.arguments[: command.arguments.index("serve")])
    at = program.index("-m") + 1
    program[at : at + 1] = module
    return Command(program, {"PYTHONPATH": str(ROOT), **command.environment})


def _run(subject: Subject, folder: Path, module: Sequence[str], words: Sequence[str]) -> list[str]:
    """Run the subject's program through a module that changes it first; return the lines of its output."""
    command = changed(subject, folder / "fsck", folder / "data", module)
    done = subprocess.run(
        [*command.arguments, *words, "-datadir", str(folder / "data"), "--json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
        env=os.environ | command.environment,
    )
    lines: list[str] = done.stdout.splitlines()
    reports = read_reports(lines)
    if "Traceback" in done.stderr or not reports or done.returncode != max(each.code for each in reports):
        raise Failed(f"exit code {done.returncode}: {done.stdout[-500:]} {done.stderr[-2000:]}")
    return lines
