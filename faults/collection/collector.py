"""The collector of a subject, as a process that stops at a step, goes on, or is killed there.

collector.collect()              a whole collection
collector.collect("ended")       up to a step; returns whether it was reached
collector.go_on()                the rest of it
collector.kill()                 SIGKILL; the next collection is one of another process
"""

import os
import select
import subprocess
from pathlib import Path

from faults.fsck.command import changed
from harness.subjects import Subject

GRACE = "1h"
"""Of all collections. Content becomes older than that by `age`, not by waiting."""

SECONDS = 300.0
"""Seconds for a collection, however many paths lead to a manifest."""


class Failed(AssertionError):
    """A collection failed; the message has its exit code and what it wrote."""


class Collector:
    """Collects in one data directory, in a process that begins with the first collection."""

    def __init__(self, subject: Subject, folder: Path, data: Path) -> None:
        self._command = changed(subject, folder / "collector", data, ["faults.collection.program"])
        self._words = [str(data), GRACE]
        self._log = folder / "collector.log"
        self._process: subprocess.Popen[str] | None = None

    def collect(self, step: str = "") -> bool:
        """Collect up to a step, or to the end. Return whether the step was reached.

        Raises: Failed.
        """
        if self._process is None:
            with self._log.open("a") as log:
                self._process = subprocess.Popen(
                    [*self._command.arguments, *self._words],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=os.environ | self._command.environment,
                )
        return self._say(step)

    def go_on(self) -> None:
        """Collect to the end.

        Raises: Failed.
        """
        self._say("")

    def kill(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _say(self, step: str) -> bool:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{step}\n")
        self._process.stdin.flush()
        ready, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        answer = self._process.stdout.readline().strip() if ready else f"nothing in {SECONDS:.0f} s"
        if answer not in {f"at {step}", "over 0"}:
            raise Failed(f"a collection ended with {answer or 'no answer'}: {self._log.read_text()[-2000:]}")
        return answer != "over 0"
