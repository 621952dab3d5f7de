"""Our program's `fsck` over and over in one process: `python -m faults.again SECONDS [bug] fsck …`."""

import sys
import time
from itertools import cycle

from faults.planted import BUGS
from simple_registry.cli.main import main

WAYS = (["--deep"], ["--deep", "--repair"], [])

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
