"""Whether our own data directory holds what its rows say, seen from outside the server.

    check_files(data)          every row of content has its file, of its size, read-only; `deep`: of its digest too
    check_with_fsck(data)      `simple-registry fsck --deep` finds nothing

Both are for a registry that is at rest or running; other registries have no such directory, and nothing is asked then.
"""

import importlib.util
import stat
import subprocess
import sys
from pathlib import Path

import apsw

from faults.contents import digest_of
from faults.subjects import our_blob

FSCK_SECONDS = 600.0


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
    """Return what `fsck --deep` says, when there is a data directory of ours and that command."""
    if not (data / "registry.db").exists() or importlib.util.find_spec("simple_registry.cli.fsck") is None:
        return []
    command = [sys.executable, "-m", "simple_registry", "fsck", "-datadir", str(data), "--deep"]
    told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=FSCK_SECONDS)
    return [f"fsck: exit code {told.returncode}: {(told.stdout + told.stderr)[-1500:]}"] if told.returncode else []
