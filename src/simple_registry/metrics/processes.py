"""The metrics of the parent: rows of processes, the number of workers, deaths and reloads."""

import logging
import time

from simple_registry.metrics.board import Board, Row
from simple_registry.metrics.families import RELOAD_FAILED, RELOADS, WORKER_DEATHS, WORKERS
from simple_registry.metrics.layout import Layout

PARENT = 0
"""The row of the parent."""

logger = logging.getLogger("simple_registry")


class Processes:
    """The rows of processes. Made by the parent before it forks; `mine` is the row of the current process."""

    def __init__(self, layout: Layout, workers: int) -> None:
        self.layout = layout
        self.board = layout.board(workers)
        self.board.use(PARENT)
        self.started = time.time()
        self.mine: Row = self.board.row(PARENT)
        self._failed = layout.at[RELOAD_FAILED, ()]
        self._free = list(range(1, self.board.rows))

    def begin(self) -> int | None:
        """Reserve a row for a process about to be forked; `None` when all are in use."""
        if not self._free:
            logger.warning("too many workers are finishing at once; the metrics leave out a new one")
            return None
        number = self._free.pop(0)
        self.board.use(number)
        return number

    def become(self, number: int | None) -> None:
        """Use the reserved row; called in the new process."""
        if number is None:
            self.mine = Board(rows=1, width=self.layout.width).row(0)
        else:
            self.mine = self.board.row(number)

    def ended(self, number: int | None) -> None:
        """Free the row of a process that has ended. Its counters stay, its gauges are cleared."""
        if number is None:
            return
        row = self.board.row(number)
        for at in self.layout.gauges:
            row[at] = 0
        self._free = sorted([*self._free, number])

    def serving(self, workers: int) -> None:
        """Record the number of workers that serve."""
        self.mine[self.layout.at[WORKERS, ()]] = workers

    def died(self) -> None:
        """Count a worker that ended unexpectedly."""
        self.mine[self.layout.at[WORKER_DEATHS, ()]] += 1

    def reloaded(self, *, done: bool) -> None:
        """Count a SIGHUP."""
        self.mine[self.layout.at[RELOADS, ("done" if done else "failed",)]] += 1
        if done:
            self.mine[self._failed] = 0
        else:
            self.reload_failed()

    def reload_failed(self) -> None:
        """Record that the last reload failed, perhaps later than when it was counted."""
        self.mine[self._failed] = self.failing_since or time.time()

    @property
    def failing_since(self) -> float:
        """Since when reloads have failed, Unix time; 0 after one that succeeded. Every process can read it."""
        return self.board.row(PARENT)[self._failed]
