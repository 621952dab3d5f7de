"""What the parent knows: which process has which row, how many workers serve, what became of them."""

import logging
import time

from simple_registry.metrics.board import Board, Row
from simple_registry.metrics.families import RELOADS, WORKER_DEATHS, WORKERS
from simple_registry.metrics.layout import Layout

PARENT = 0
"""The parent's own row."""

logger = logging.getLogger("simple_registry")


class Processes:
    """Rows for processes. Made by the parent before it forks; `mine` is the row of whichever process asks."""

    def __init__(self, layout: Layout, workers: int) -> None:
        """Give every process a row of a new board."""
        self.layout = layout
        self.board = layout.board(workers)
        self.board.use(PARENT)
        self.started = time.time()
        self.mine: Row = self.board.row(PARENT)
        self._free = list(range(1, self.board.rows))

    def begin(self) -> int | None:
        """Return the number of a row for a process that is about to be forked; `None` when all are taken."""
        if not self._free:
            logger.warning("too many workers finish at once; a new one is not counted in the metrics")
            return None
        number = self._free.pop(0)
        self.board.use(number)
        return number

    def become(self, number: int | None) -> None:
        """Take that row for this process, in the new process itself."""
        if number is None:
            self.mine = Board(rows=1, width=self.layout.width).row(0)
        else:
            self.mine = self.board.row(number)

    def ended(self, number: int | None) -> None:
        """Let another process have the row of one that has ended. Its counters stay, its gauges go."""
        if number is None:
            return
        row = self.board.row(number)
        for at in self.layout.gauges:
            row[at] = 0
        self._free = sorted([*self._free, number])

    def serving(self, workers: int) -> None:
        """Note how many workers serve."""
        self.mine[self.layout.at[WORKERS, ()]] = workers

    def died(self) -> None:
        """Count a worker that ended without being asked to."""
        self.mine[self.layout.at[WORKER_DEATHS, ()]] += 1

    def reloaded(self, *, done: bool) -> None:
        """Count a SIGHUP."""
        self.mine[self.layout.at[RELOADS, ("done" if done else "failed",)]] += 1
