"""Whether a trace shows that bytes of a failed sync were believed to be on disk.

After a failed `fsync` the kernel may have dropped the bytes and marked their pages clean: a second `fsync` returns 0
and nothing is on disk. So a sync of such a file counts only once all those bytes were written again, truncated, or left
without a name. In a log this applies only to bytes before its new end: nothing reads beyond.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from faults.order.model import LOG, PageCache
from faults.strace import Call, open_on, steps, text

_SYNCS = ("fsync", "fdatasync")
UNKNOWN = 1 << 62
"""The end of a write that does not say where it went."""


@dataclass(slots=True)
class Bytes:
    """Of one file: what was written and not synced, and what a failed sync may have dropped."""

    dirty: list[tuple[int, int]] = field(default_factory=list)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    end: int = 0
    """The highest byte that was written since a sync failed."""


def believed(calls: Iterable[Call], root: str) -> Iterator[str]:
    """Report each sync that was believed although an earlier one of the same bytes had failed."""
    files: dict[str, Bytes] = {}
    for call in calls:
        arguments = call.split()
        path = open_on(arguments[0]) if arguments else ""
        if call.name in ("rename", "renameat") and call.succeeded:
            names = [text(argument) for argument in arguments if argument.startswith('"')]
            files[names[1]] = files.pop(names[0], Bytes())
        elif call.name in ("unlink", "unlinkat") and call.succeeded:
            files.pop(next((text(argument) for argument in arguments if argument.startswith('"')), ""), None)
        elif path.startswith(f"{root}/"):
            file = files.setdefault(path, Bytes())
            if call.name in ("pwrite64", "write") and call.succeeded:
                _written(file, call, arguments, log=path.endswith(LOG))
            elif call.name == "ftruncate" and call.succeeded:
                _cut(file, int(arguments[1]))
            elif call.name in _SYNCS and _synced(file, call, log=path.endswith(LOG)):
                yield f"a failed sync was tried again and believed: {call}".replace(f"{root}/", "")


def _written(file: Bytes, call: Call, arguments: list[str], *, log: bool) -> None:
    size = int(call.result)
    start = int(arguments[3]) if call.name == "pwrite64" else 0
    stop = start + size if call.name == "pwrite64" else UNKNOWN
    if log and start == 0:
        file.dropped = []  # the log was restarted
    file.dirty.append((start, stop))
    file.end = max(file.end, stop)
    file.dropped = [part for span in file.dropped for part in _without(span, start, stop)]


def _cut(file: Bytes, size: int) -> None:
    file.dropped = [part for span in file.dropped for part in _without(span, size, UNKNOWN)]
    file.dirty = [part for span in file.dirty for part in _without(span, size, UNKNOWN)]


def _without(span: tuple[int, int], start: int, stop: int) -> Iterator[tuple[int, int]]:
    if span[0] < min(span[1], start):
        yield span[0], min(span[1], start)
    if max(span[0], stop) < span[1]:
        yield max(span[0], stop), span[1]


def _synced(file: Bytes, call: Call, *, log: bool) -> bool:
    """Apply a sync; return whether it was believed wrongly."""
    if call.error == "EINTR":
        return False
    if not call.succeeded:
        file.dropped += file.dirty
        file.dirty, file.end = [], 0
        return False
    wrong = any(start < file.end for start, _ in file.dropped) if log else bool(file.dropped)
    file.dirty = []
    if wrong or not log:
        file.dropped = []
    return wrong


def acknowledged(calls: list[Call], root: str, existing: Sequence[str], since: float, until: float) -> list[str]:
    """Return what an operation in that time left off the disk because a sync failed, of what was traced."""
    forgiven = [
        replace(call, error=None, result="0") if call.injected and call.name in _SYNCS else call for call in calls
    ]
    missing = _lost(forgiven, root, existing, since, until)
    return [what for what in _lost(calls, root, existing, since, until) if what not in missing]


def _forgive(call: Call) -> Call:
    return replace(call, error=None, result="0") if call.injected and call.name in _SYNCS else call


def _lost(calls: list[Call], root: str, existing: Sequence[str], since: float, until: float) -> list[str]:
    cache = PageCache(root, existing)
    first = next((call.entered for call in calls if call.time >= since), 0)
    for step, call, returned in steps(calls):
        if call.time < until:
            cache.apply(step, call, returned=returned)
    return list(cache.lost(first, removals=False))
