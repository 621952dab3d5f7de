"""Whether our own data directory holds what its rows say, seen from outside the server.

    check_files(data)          every row of content has its file, of its size, read-only; `deep`: of its digest too
    check_with_fsck(data)      `simple-registry fsck --deep` finds nothing but what a crash leaves, and mends that

Both are for a registry that is at rest or running; other registries have no such directory, and nothing is asked then.
"""

import json
import stat
import subprocess
import sys
from pathlib import Path

import apsw

from faults.contents import digest_of
from faults.subjects import our_blob

FSCK_SECONDS = 600.0
CRASHES_LEAVE = {"orphan", "leftover", "cut-upload"}
"""A file without its row, bytes without their session, and a session whose bytes have become a file without its row."""


def check_files(data: Path, *, deep: bool = False) -> list[str]:
    """Return what is wrong with rows and files, in a line each."""
    if not (data / "registry.db").exists():
        return []
    connection = apsw.Connection(str(data / "registry.db"), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(10_000)
        connection.execute("PRAGMA query_only = ON")
        rows = connection.execute("SELECT digest, size FROM blobs").fetchall()
        faults = [
            fault for digest, size in rows for fault in _check_file(our_blob(data, digest), digest, size, deep=deep)
        ]
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
    """Return what `fsck --deep` finds that no crash may leave, and whether anything is left once it was repaired."""
    if not (data / "registry.db").exists():
        return []
    findings = [json.loads(line) for line in _fsck(data, "--repair", "--json").stdout.splitlines()]
    found = [finding for finding in findings if finding.get("finding", "orphan") not in CRASHES_LEAVE]
    faults = [f"fsck: {finding['finding']}: {finding['detail']}" for finding in found if not finding["remark"]]
    again = _fsck(data)
    if again.returncode:
        faults.append(f"fsck after a repair: exit code {again.returncode}: {(again.stdout + again.stderr)[-1500:]}")
    return faults


def _fsck(data: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "simple_registry", "fsck", "-datadir", str(data), "--deep", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=FSCK_SECONDS)
