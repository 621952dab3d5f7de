"""Describes the machine and the software versions of a run."""

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import apsw


def describe(folder: Path, before: Path | None = None) -> list[tuple[str, str]]:
    """Return facts about the machine and the programs, as names and values.

    `folder` holds the data of the subjects; `before` is the checkout of the subject of that name.
    """
    facts = [
        ("CPU", f"{_cpu(Path('/proc/cpuinfo').read_text())}, {os.cpu_count()} cores, shared with the load generator"),
        ("memory", f"{_memory(Path('/proc/meminfo').read_text()):.0f} GiB"),
        ("kernel", f"{platform.system()} {platform.release().split('-')[0]}"),
        ("file system", _file_system(folder)),
        ("Simple Registry", _ours()),
        ("load", ", ".join(found for found in map(_version, _PROGRAMS) if found)),
    ]
    return [*facts, ("before", _commit(before))] if before else facts


_PROGRAMS: Sequence[tuple[str, Sequence[str], str]] = (
    ("wrk", ["wrk", "--version"], r"wrk (\S+)"),
    ("curl", ["curl", "--version"], r"curl (\S+)"),
    ("nginx", ["nginx", "-v"], r"nginx/(\S+)"),
    ("docker-registry", ["docker-registry", "--version"], r"(\S+)\s*$"),
)


def _ours() -> str:
    packages = [f"{name} {version(name)}" for name in ("apsw", "uvloop")]
    base = [version("simple-registry"), f"Python {platform.python_version()}", f"SQLite {apsw.sqlitelibversion()}"]
    return ", ".join([*base, *packages])


def _commit(checkout: Path) -> str:
    """Return the commit of a checkout, marked if its files differ from it."""
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty"]
    described = subprocess.run(command, capture_output=True, text=True, check=False)
    return f"commit {described.stdout.strip()}" if described.returncode == 0 else "no git checkout"


def _cpu(cpuinfo: str) -> str:
    found = re.search(r"^model name\s*: (.+)$", cpuinfo, re.MULTILINE)
    return found[1] if found else platform.machine()


def _memory(meminfo: str) -> float:
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo, re.MULTILINE)
    return int(found[1]) / 1024**2 if found else 0.0


def _file_system(folder: Path) -> str:
    command = ["findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _version(program: tuple[str, Sequence[str], str]) -> str:
    name, command, pattern = program
    if not shutil.which(command[0], path=os.environ.get("PATH", "") + ":/usr/sbin"):
        return ""
    environment = os.environ | {"PATH": os.environ.get("PATH", "") + ":/usr/sbin"}
    printed = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    found = re.search(pattern, printed.stdout + printed.stderr)
    return f"{name} {found[1]}" if found else name
