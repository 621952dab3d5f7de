"""CPU time and memory of the processes of a server, from /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM = range(11, 15)
"""Positions of the times among the fields of `/proc/<pid>/stat` that follow the name (proc(5), fields 14 to 17)."""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time of these processes so far, with that of their ended children."""
    total = 0.0
    for pid in pids:
        with suppress(OSError):
            total += parse_cpu_seconds(Path(f"/proc/{pid}/stat").read_text())
    return total


def parse_cpu_seconds(stat: str) -> float:
    """Return the CPU time in a line of `/proc/<pid>/stat`; the name in it may have spaces and parentheses."""
    fields = stat.rpartition(")")[2].split()
    return sum(int(fields[index]) for index in (_USER, _SYSTEM, _CHILDREN_USER, _CHILDREN_SYSTEM)) / TICKS


def memory(pids: Iterable[int]) -> int:
    """Return the memory of these processes in bytes; shared pages are divided among them."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += parse_memory(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return total


def parse_memory(rollup: str) -> int:
    """Return the proportional set size, in bytes, of a `smaps_rollup`."""
    (line,) = (line for line in rollup.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * 1024
