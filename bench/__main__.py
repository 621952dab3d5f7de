"""`python -m bench`."""

import signal
import sys

from bench.command import main

signal.signal(
    signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
)  # through the cleanup, which stops the subjects
sys.exit(main())
