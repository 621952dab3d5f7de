"""Our program's `fsck` over and over in one process: `python -m faults.fsck.repeatedly SECONDS [bug] fsck …`."""

import sys
import time
from collections.abc import Sequence
from itertools import cycle

from faults.planted.bugs import BUGS
from simple_registry.cli.main import main

WAYS: Sequence[Sequence[str]] = (["--deep"], ["--deep", "--repair"], [])

if __name__ == "__main__":
    seconds, *words = sys.argv[1:]
    if words[0] in BUGS:
        BUGS[words.pop(0)]()
    deadline = time.monotonic() + float(seconds)
    code = 0
    for options in cycle(WAYS):
        if time.monotonic() > deadline or code > 1:
            break
        code = max(code, main([*words, *options]))
    sys.exit(code)
