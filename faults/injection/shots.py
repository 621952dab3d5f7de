"""Which system calls of an operation fail, and how: from a recording of the operation to a list of shots.

strace counts calls per thread, so a shot names a thread by its role: what it was seen to do.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faults.order.model import LOG
from faults.scores import Scale
from faults.strace import Call, open_on, text

KILL = "SIGKILL"
FOREVER = "+"
"""Ends a fault that stays until the tracer lets go."""

FAULTS: Mapping[str, Sequence[str]] = {
    "openat": ("EIO", "EINTR"),
    "write": ("ENOSPC", "EIO", "EINTR"),
    "pwrite64": ("ENOSPC", "EIO", "EINTR"),
    "fsync": ("EIO", "ENOSPC", "EINTR", f"EIO{FOREVER}"),
    "fdatasync": ("EIO", "ENOSPC", "EINTR", f"EIO{FOREVER}"),
    "rename": ("EIO", "ENOSPC"),
    "renameat": ("EIO", "ENOSPC"),
    "link": ("EIO", "ENOSPC"),
    "linkat": ("EIO", "ENOSPC"),
    "unlink": ("EIO",),
    "unlinkat": ("EIO",),
    "mkdir": ("EIO", "ENOSPC"),
    "mkdirat": ("EIO", "ENOSPC"),
    "ftruncate": ("EIO", "EINTR"),
    "fchmod": ("EIO",),
    "flock": ("ENOLCK", "EINTR"),
    "fcntl": ("ENOLCK",),
    "pread64": ("EIO", "EINTR"),
    "newfstatat": ("EIO",),
    "mmap": ("ENOMEM",),
    "close": (),
}
"""What each call can really answer. `close` is only killed at: it always closes, an injected failure would not."""

LETTING_GO = ("F_UNLCK", "LOCK_UN")
"""Locks are let go of without fail, too."""

CREATING = "ENOSPC"
"""What `openat` answers besides, where it makes a file."""

KILLED_AT = frozenset(
    [
        "openat",
        "write",
        "pwrite64",
        "fsync",
        "fdatasync",
        "rename",
        "renameat",
        "link",
        "linkat",
        "unlink",
        "unlinkat",
        "mkdir",
        "mkdirat",
        "ftruncate",
    ]
)
"""Calls that change something; only the full scale kills at all others, and lets more than the first of them fail."""

PROVEN_AT = frozenset(["write", "pwrite64", "fsync", "fdatasync"])
"""Calls that the planted bugs are about."""

_MADE_UP = re.compile(r"[0-9a-f]{8,}[0-9a-f-]*|(?<=sha256/)[0-9a-f]{2}(?=/|$)")


@dataclass(frozen=True, slots=True)
class Shot:
    """The `number`th call of this name by the thread of a role fails like this, or kills."""

    role: str
    call: str
    number: int
    what: str
    """The path, without what differs from run to run."""
    fault: str

    def __str__(self) -> str:
        return f"{self.fault} at {self.call} {self.number} of {self.role} ({self.what})"

    @property
    def injection(self) -> str:
        """Return the fault in strace's words."""
        forever = self.fault.endswith(FOREVER)
        effect = f"signal={KILL}" if self.fault == KILL else f"error={self.fault.removesuffix(FOREVER)}"
        return f"inject={self.call}:{effect}:when={self.number}{FOREVER if forever else ''}"


def touched(call: Call, root: str) -> str | None:
    """Return what below the root a call is about, with `*` for names that differ each time."""
    for argument in call.split():
        path = open_on(argument) or text(argument)
        if path.startswith(f"{root}/") or path == root:
            return _MADE_UP.sub("*", path.removeprefix(root).strip("/")) or "."
    return None


def roles(calls: Iterable[Call], root: str, main: int) -> Mapping[int, str]:
    """Return what each thread that touches files is there for: rows, files, or all the rest."""
    found: dict[int, str] = {}
    for call in calls:
        what = touched(call, root)
        if what is None:
            continue
        if call.name == "pwrite64" and what.endswith(LOG):
            found[call.thread] = "rows"
        elif call.name in ("pwrite64", "write") and call.thread not in found:
            found[call.thread] = "files"
    return found | ({main: "loop"} if main not in found else {})


def shots(calls: Iterable[Call], root: str, named: Mapping[int, str], scale: Scale) -> list[Shot]:
    """Return the shots at the calls of one recorded operation."""
    counts: dict[tuple[int, str], int] = {}
    candidates: dict[tuple[str, str, str], list[int]] = {}
    creating, harmless = set(), set()
    for call in calls:
        number = counts[call.thread, call.name] = counts.get((call.thread, call.name), 0) + 1
        what = touched(call, root)
        role = named.get(call.thread)
        if what is None or role is None or call.name not in (PROVEN_AT if scale is Scale.PROOF else FAULTS):
            continue
        candidates.setdefault((role, call.name, what), []).append(number)
        if "O_CREAT" in call.arguments:
            creating.add((role, call.name, number))
        if any(word in call.arguments for word in LETTING_GO):
            harmless.add((role, call.name, number))
    planned = []
    for (role, name, what), numbers in candidates.items():
        for number in _chosen(name, numbers, scale):
            faults = list(FAULTS[name]) if (role, name, number) not in harmless else []
            faults += [CREATING] if (role, name, number) in creating else []
            if scale is Scale.PROOF:
                faults = [fault for fault in faults if fault in ("EIO", "ENOSPC")]
            faults += [KILL] if _kills(name, scale, first=number == numbers[0]) else []
            if number != numbers[0]:
                faults = [fault for fault in faults if not fault.endswith(FOREVER)]
            planned += [Shot(role, name, number, what, fault) for fault in faults]
    return planned


def _chosen(name: str, numbers: Sequence[int], scale: Scale) -> Sequence[int]:
    """Return which of the same calls on the same path are shot at: all, or the first, or the last too."""
    if scale is Scale.FULL:
        return numbers
    return sorted({numbers[0], numbers[-1]}) if name in KILLED_AT else numbers[:1]


def _kills(name: str, scale: Scale, *, first: bool) -> bool:
    return scale is Scale.FULL or (scale is Scale.QUICK and name in KILLED_AT and first)
