"""Whether everything that an answer depends on was on disk before its first byte.

The judge does not know the file names of a registry. An answer depends on this:

* Every byte that the operation wrote to a file that still has a name, and every name that it gave; also earlier ones
  that it mounts or points at. `sync_file_range` does not count as a sync: it omits metadata and the disk's own cache. A
  new directory is a name in its parent. A file that was opened and never written holds nothing: it is a lock.
* The removal of a name only where a deletion is answered. The name of a finished upload may come back unused.
* A database with a log beside it is durable through its log. Its pages may be dirty while the log exists; if the log is
  restarted, truncated or removed before they are on disk, they are lost.
* The last commit to such a log comes after everything else that the operation wrote is on disk. Otherwise a power cut
  can leave a row without its file. A file that replaces a durable one may come later: the row always has a file.
* No answer comes in advance: something was written before it, and the operation writes nothing after it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from faults.order.model import LOG, PageCache
from faults.strace import Call, steps

NEVER = 1 << 62


@dataclass(frozen=True, slots=True)
class Window:
    """One operation: it begins at `since`, is over by `until` (seconds since the epoch), and is answered to `port`."""

    since: float
    until: float
    port: int
    rests_on: float
    """The start of the earlier operation on which the answer also depends: content that is mounted or pointed at."""
    removes: bool = False
    """Whether its answer guarantees that names are removed."""


def judge(
    root: str, calls: Sequence[Call], windows: Iterable[Window], existing: Iterable[str] = ()
) -> list[Sequence[str]]:
    """Return what is out of order in each operation; windows come in order and do not overlap."""
    cache = PageCache(root, existing)
    player = _Player(cache, list(steps(calls)))
    verdicts: list[Sequence[str]] = []
    for window in windows:
        answer = _answered(calls, window)
        if answer is None:
            verdicts.append(["its answer is not in the trace"])
            continue
        since = _first_step(calls, window.since)
        player.play(answer)
        found = list(cache.lost(_first_step(calls, window.rests_on), removals=window.removes))
        found += _given_in_advance(cache, since) if not found else []
        found += _out_of_turn(cache, since)
        player.play(_first_step(calls, window.until))
        found += [f"after the answer: {what}" for what in cache.done(answer)]
        verdicts.append(found)
    return verdicts


def _given_in_advance(cache: PageCache, since: int) -> Iterator[str]:
    if not any(True for _ in cache.durable(since)):
        yield "nothing came to disk before the answer"


def _out_of_turn(cache: PageCache, since: int) -> Iterator[str]:
    if not cache.commits or cache.commits[-1] < since:
        return
    for step, what in cache.durable(since, replacements=False):
        if step > cache.commits[-1] and not what.endswith(LOG):
            yield f"{what} came to disk only after the last commit began"


def _answered(calls: Iterable[Call], window: Window) -> int | None:
    """Return the step at which the first byte of the answer is handed to the kernel."""
    for call in calls:
        if call.time >= window.since and "HTTP/1." in call.arguments and f":{window.port}]" in call.arguments:
            return call.entered
    return None


def _first_step(calls: Iterable[Call], time: float) -> int:
    return next((call.entered for call in calls if call.time >= time), NEVER)


class _Player:
    """Plays a trace into a page cache, up to a step at a time."""

    def __init__(self, cache: PageCache, everything: Sequence[tuple[int, Call, bool]]) -> None:
        self._cache = cache
        self._everything = everything
        self._position = 0

    def play(self, stop: int) -> None:
        """Take the steps before `stop`."""
        while self._position < len(self._everything):
            step, call, returned = self._everything[self._position]
            if step >= stop:
                return
            self._cache.apply(step, call, returned=returned)
            self._position += 1
