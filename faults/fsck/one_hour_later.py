"""Our program an hour later, so that no file is young: `python -m faults.fsck.one_hour_later [bug] fsck …`."""

import sys
import time

from faults.planted.bugs import BUGS
from simple_registry.cli.main import main
from simple_registry.clock import SystemClock

LATER = 3600.0


def _later(_clock: SystemClock) -> float:
    return time.time() + LATER


if __name__ == "__main__":
    words = sys.argv[1:]
    if words[0] in BUGS:
        BUGS[words.pop(0)]()
    SystemClock.now = _later
    sys.exit(main(words))
