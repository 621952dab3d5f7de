"""Our program under changed conditions.

python -m faults.fsck.program later [bug] fsck …              an hour later, so that no file is young
python -m faults.fsck.program repeat SECONDS [bug] fsck …     again and again in one process, in turn in every way
"""

import sys
import time
from collections.abc import Sequence
from itertools import cycle

from faults.planted.bugs import BUGS
from simple_registry.cli.main import main
from simple_registry.clock import SystemClock

LATER = 3600.0
WAYS: Sequence[Sequence[str]] = (["--deep"], ["--deep", "--repair"], [])


def _plant(words: list[str]) -> list[str]:
    """Plant the bug that comes first, if one does; return the other words."""
    if words[0] in BUGS:
        BUGS[words.pop(0)]()
    return words


def later(words: list[str]) -> int:
    """Run the program an hour later."""

    def now(_clock: SystemClock) -> float:
        return time.time() + LATER

    SystemClock.now = now  # type: ignore[method-assign, assignment]
    return main(_plant(words))


def repeat(words: list[str]) -> int:
    """Run the program for as many seconds as the first word says; return the highest exit code."""
    seconds, *words = words
    _plant(words)
    deadline, code = time.monotonic() + float(seconds), 0
    for options in cycle(WAYS):
        if time.monotonic() > deadline or code > 1:
            break
        code = max(code, main([*words, *options]))
    return code


if __name__ == "__main__":
    sys.exit({"later": later, "repeat": repeat}[sys.argv[1]](sys.argv[2:]))
