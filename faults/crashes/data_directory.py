"""Whether our data directory holds what its rows say, checked from outside the server.

    check_files(data)          every row of content has its file, of its size, read-only; `deep`: of its digest too
    check_with_fsck(data)      `simple-registry fsck --deep` finds only what a crash leaves, and repairs it

Both work beside a running registry. For other registries they check nothing.
"""

import json
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from faults.crashes.contents import digest_of
from harness.subjects import our_blob

FSCK_SECONDS = 600.0
_CONTENTS = "SELECT digest, size FROM contents WHERE state <> 'condemned'"
CRASHES_LEAVE = {"orphan", "leftover", "cut-upload"}
"""A file without its row, bytes without their session, and a session whose bytes became a file without its row."""


def check_files(data: Path, *, deep: bool = False) -> list[str]:
    """Return what is wrong with rows and files, in a line each."""
    if not (data / "registry.db").exists():
        return []
    connection = apsw.Connection(str(data / "registry.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA query_only = ON")
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT digest, size FROM contents WHERE state <> 'condemned'"
        ).fetchall()
        faults = []
        for digest, size in rows:
            found = _check_file(our_blob(data, digest), digest, size, deep=deep)
            if (
                found
                and connection.execute(
                    "SELECT 1 FROM contents WHERE digest = ? AND state <> 'condemned'", (digest,)
                ).fetchall()
            ):
                faults += found  # else it was collected meanwhile: it is condemned first
        if connection.execute("PRAGMA foreign_key_check").fetchall():
            faults.append("the database has rows that refer to nothing")
        if deep and connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]:
            faults.append("the database is damaged")
    finally:
        connection.close()
    return faults


def _check_file(file: Path, digest: str, size: int, *, deep: bool) -> list[str]:
    try:
        found = file.stat()
    except FileNotFoundError:
        return [f"a row without its file: {digest}"]
    if found.st_size != size:
        return [f"a file of {found.st_size} bytes, not {size}: {digest}"]
    if stat.S_IMODE(found.st_mode) != 0o444:
        return [f"a file with mode {stat.S_IMODE(found.st_mode):o}: {digest}"]
    if deep and digest_of(file.read_bytes()) != digest:
        return [f"a file with other bytes: {digest}"]
    return []


def check_with_fsck(data: Path) -> list[str]:
    """Return what `fsck --deep` finds that no crash may leave, and what is left of anything once it was repaired.

    Leftovers of a crash can become old enough to be reported between the repair and the next check; then a second
    repair is needed.
    """
    if not (data / "registry.db").exists():
        return []
    repaired, after = _fsck(data, "--repair"), _fsck(data)
    left = [finding for finding in after if finding in repaired or finding.kind not in CRASHES_LEAVE]
    if late := [finding for finding in after if finding not in left]:
        _fsck(data, "--repair")
        left += [finding for finding in _fsck(data) if finding in late]
    faults = [f"fsck: {finding}" for finding in repaired if finding.kind not in CRASHES_LEAVE]
    return faults + [f"fsck after a repair: {finding}" for finding in left]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Something that is wrong: the same one as another if it is of the same kind and of the same thing."""

    kind: str
    digest: str | None
    path: str | None
    detail: str = field(compare=False)

    def __str__(self) -> str:
        return f"{self.kind}: {self.digest or self.path}: {self.detail}"


def _fsck(data: Path, *options: str) -> list[_Finding]:
    """Check once. What was not checked at all is a finding too."""
    command = [sys.executable, "-m", "simple_registry", "fsck", "-datadir", str(data), "--deep", "--json", *options]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FSCK_SECONDS)
    if ended.returncode > 1:
        return [_Finding("exit code", str(ended.returncode), None, (ended.stdout + ended.stderr)[-1500:])]
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return [
        _Finding(line["finding"], line.get("digest"), line.get("path"), line["detail"])
        for line in lines
        if "finding" in line and not line["remark"]
    ]
