"""Our collector, held at its steps: `python -m faults.collection.program [bug] DIRECTORY GRACE`.

Each line of its input has a step, or is empty, and starts a collection, manifests without a tag included:

    > ended          collect, and stop at this step when something comes to it
    < at ended       (then it waits for another line)
    >
    < over 0         with the exit code

While it is held, the process is, with all locks that it has there.
"""

import io
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any, TextIO

from faults.planted.bugs import BUGS
from simple_registry.cli.main import main
from simple_registry.storage.sqlite.rows.garbage import SqliteGarbageRows
from simple_registry.storage.sqlite.rows.reviews import SqliteReviewRows

STEPS = ("begun", "reviewed", "ended", "listed", "removed", "forgotten")
"""Before the reviews; after them; holdings have ended, so that content is condemned; it is listed for its removal; its
bytes are gone; its rows are, too."""


class Steps:
    """The steps of the collections of this process."""

    def __init__(self, asked: TextIO, answers: TextIO) -> None:
        self._asked = asked
        self._answers = answers
        self._wanted = ""

    def collect(self, data: str, grace: str) -> None:
        """Do a collection for each line."""
        for line in self._asked:
            self._wanted = line.strip()
            with redirect_stdout(io.StringIO()):
                code = main(["garbage-collect", "-datadir", data, "-delete-untagged", "-grace", grace])
            self._say(f"over {code}")

    def wrap(self, rows: type, method: str, *, before: str = "", after: str = "") -> None:
        """Make a method stop at a step before its work, or after it if it found anything."""
        real = getattr(rows, method)

        async def in_steps(*arguments: Any, **named: Any) -> Any:
            self._reach(before)
            outcome = await real(*arguments, **named)
            if outcome is None or getattr(outcome, "total", outcome):
                self._reach(after)
            return outcome

        setattr(rows, method, in_steps)

    def _reach(self, step: str) -> None:
        if step and step == self._wanted:
            self._wanted = ""
            self._say(f"at {step}")
            self._asked.readline()

    def _say(self, line: str) -> None:
        self._answers.write(f"{line}\n")
        self._answers.flush()


def run(words: Sequence[str]) -> None:
    """Plant the bug that comes first, if one does, and collect."""
    *bugs, data, grace = words
    for bug in bugs:
        BUGS[bug]()
    steps = Steps(sys.stdin, sys.stdout)
    steps.wrap(SqliteReviewRows, "review", before="begun")
    steps.wrap(SqliteGarbageRows, "end_holdings", before="reviewed", after="ended")
    steps.wrap(SqliteGarbageRows, "page_condemned", after="listed")
    steps.wrap(SqliteGarbageRows, "forget", before="removed", after="forgotten")
    steps.collect(data, grace)


if __name__ == "__main__":
    run(sys.argv[1:])
