"""The steps of campaigns that break a registry in use: start, clients, break, restart, verify, count.

    with Trial(subject, folder, seed=1, clients=4) as trial:
        trial.registry.kill()
        trial.restart()
        trial.verify()

Clients work from the beginning. A restart pauses them until `go_on`.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from faults.crashes.connection import Connection, Unanswered
from faults.crashes.data_directory import check_files, check_with_fsck
from faults.crashes.ledger import Ledger
from faults.crashes.verifier import LOST, Verifier
from faults.crashes.workload import Workload
from harness.subjects import DidNotStart, Running, Subject, ours, running

GRACE = 20.0
"""Seconds for which content stays that nothing needs: long enough for a restart and a look."""


def eager(grace: float) -> Subject:
    """Return our registry, collecting all the time: a push may meet the collector anywhere."""
    collecting = f"{{interval: 1s, grace: {grace:.0f}s}}"
    return ours(
        configuration=f"kind: Configuration\nmetadata: {{name: eager}}\nspec: {{garbageCollection: {collecting}}}\n"
    )


EAGER = eager(GRACE)


class Trial:
    """A workload over one data directory, and the registry that serves it at the moment."""

    def __init__(
        self,
        subject: Subject,
        folder: Path,
        *,
        seed: int,
        clients: int,
        data: Path | None = None,
        grace: float = GRACE,
    ) -> None:
        self.faults: list[str] = []
        self.ledger = Ledger(grace=grace)
        self._subject = subject
        self._folder = folder
        self._data = data
        self._seed = seed
        self._clients = clients
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._start()
        try:
            self.workload = Workload(lambda: self.registry.address, self.ledger, seed=self._seed, clients=self._clients)
        except BaseException:
            self._stack.close()
            raise
        self._connection = Connection(lambda: self.registry.address)
        self.verifier = Verifier(self.ledger, self._connection, self.workload.abilities, self._seed)
        self.workload.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.workload.stop()
        self._connection.close()
        self._stack.close()

    def restart(self, between: Callable[[], None] = lambda: None) -> None:
        """Kill what is left of the registry, rest all clients, do `between`, and start the registry again.

        Raises: DidNotStart.
        """
        self.registry.kill()
        self.workload.pause()
        self._stack.close()
        self._connection.close()
        self.ledger.restarted()
        between()
        self._start()

    def verify(self, *, whole: bool = False) -> None:
        """Look at what is in question, or at everything; all clients rest."""
        self._connection.close()  # it may lead to a worker that was killed
        try:
            self.faults += self.verifier.verify(all_keys=whole)
        except Unanswered as error:
            self.faults.append(f"not answered at rest: {error}")
        self.faults += check_files(self.registry.data, deep=whole)
        if whole:
            self.faults += check_with_fsck(self.registry.data)
        self.faults += self.workload.faults
        self.workload.faults.clear()

    def finish(self) -> None:
        """Look at everything once more, after a last pause."""
        self.workload.pause()
        self.verify(whole=True)

    def _start(self) -> None:
        stack = ExitStack()
        self.registry: Running = stack.enter_context(running(self._subject, self._folder, data=self._data))
        self._stack = stack


def summary(faults: Sequence[str]) -> str:
    """Return how many of these are losses, in words."""
    lost = sum(fault.startswith(LOST) for fault in faults)
    return f"{lost} lost, {len(faults) - lost} other faults"


def did_not_start(error: DidNotStart) -> str:
    return f"did not start again: {str(error)[-600:]}"
