"""The one thread of a process that writes rows, several changes to a commit.

A durable commit costs a disk flush, whatever it holds; so everything that arrived during the last flush shares the
next one.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar, cast

import apsw

from simple_registry.completion import Completion
from simple_registry.faults import StorageFault
from simple_registry.storage.sqlite.engine.commits import Change, Commits, Outcome

BATCH = 128
"""Most changes in one commit, so that other processes get their turn."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Job:
    """A change, and its completion for the caller."""

    change: Change
    completion: Completion[object]


class Writer:
    """Queues changes for the writing thread, which starts with the first."""

    def __init__(self, path: str, log_reserve: int = 0) -> None:
        """Write to the database at `path`, with room for `log_reserve` bytes of its log."""
        self._path = path
        self._log_reserve = log_reserve
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False
        self.sizes = [0] * (BATCH + 1)
        """How many commits there were of each number of changes, from none on."""

    async def write(
        self,
        apply: Callable[[apsw.Connection], _T],
        *,
        durable: bool = True,
    ) -> _T:
        """Return what `apply` returns, once what it did is committed; see `Change`.

        A caller that is cancelled is so only when the change is over, one way or the other: it may hold what the change
        is about, such as an upload session, and the next one to hold that must not be overtaken by it.

        Raises: StorageFault, and what `apply` raises.
        """
        if self._closed:
            raise StorageFault("write rows", "the store is closed")
        if self._thread is None:
            # A daemon: a process that ends without close() must not hang, and a commit cut short is no commit.
            thread = Thread(target=self._serve, name="rows", daemon=True)
            thread.start()  # on a machine that has no room for it, the next change tries again
            self._thread = thread
        job = _Job(Change(apply, durable), Completion())
        self._jobs.put(job)
        return cast("_T", await job.completion.finish())

    async def close(self) -> None:
        """Finish the changes queued so far and end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        """Take what is queued, commit it, answer; until told to end."""
        commits: Commits | None = None
        more = True
        while more:
            jobs, more = self._take()
            if not jobs:
                continue
            try:
                commits = commits or Commits(self._path, self._log_reserve)
                outcomes = commits.commit([job.change for job in jobs])
                self.sizes[len(jobs)] += 1
            except Exception as error:  # noqa: BLE001 (it goes to those who wait; the thread serves on)
                outcomes = [Outcome(error=error)] * len(jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                _answer(job, outcome)
        if commits is not None:
            commits.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Return up to `BATCH` jobs, waiting for the first only, and whether more may come."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == BATCH:
                return jobs, True
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return jobs, True
        return jobs, False


def _answer(job: _Job, outcome: Outcome) -> None:
    if outcome.error is not None:
        job.completion.fail(outcome.error)
    else:
        job.completion.succeed(outcome.result)
