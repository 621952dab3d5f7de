"""The thread of a process that writes rows, several changes to a commit.

A durable commit costs one disk flush, whatever its size. So all changes that arrive during a flush share the next one.
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

MAX_BATCH = 128
"""Changes in one commit, so that other processes get their turn."""

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Job:
    """A change, and its completion for the caller."""

    change: Change
    completion: Completion[object]


class Writer:
    """Queues changes for the writing thread, which starts with the first."""

    def __init__(self, path: str, log_reserve: int = 0) -> None:
        """Write to the database at `path`, and reserve `log_reserve` bytes for its log."""
        self._path = path
        self._log_reserve = log_reserve
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._closed = False
        self.sizes = [0] * (MAX_BATCH + 1)
        """The number of commits by their number of changes, from 0."""

    async def write(self, apply: Callable[[apsw.Connection], _T], *, durable: bool = True) -> _T:
        """Return the result of `apply`, once its change is committed; see `Change`.

        Cancellation takes effect only after the change has been committed or has failed. The caller may hold a lock on
        what it changes, such as an upload session, and the next holder must not be overtaken by this change.

        Raises: StorageFault, and what `apply` raises.
        """
        if self._closed:
            raise StorageFault("write rows", "the store is closed")
        if self._thread is None:
            # A daemon: a process that exits without close() must not hang. SQLite drops a commit that was cut short.
            thread = Thread(target=self._serve, name="rows", daemon=True)
            thread.start()  # may fail for lack of resources; the next change tries again
            self._thread = thread
        job = _Job(Change(apply, durable), Completion())
        self._jobs.put(job)
        return cast("_T", await job.completion.finish())

    async def close(self) -> None:
        """Finish the queued changes and end the thread."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        """Commit queued changes and complete their jobs, until the store is closed."""
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
            except Exception as error:  # noqa: BLE001 (passed to the callers; the thread must survive it)
                outcomes = [Outcome(error=error)] * len(jobs)
            for job, outcome in zip(jobs, outcomes, strict=True):
                _answer(job, outcome)
        if commits is not None:
            commits.close()

    def _take(self) -> tuple[list[_Job], bool]:
        """Return up to `MAX_BATCH` jobs, and whether more may come. Only waits for the first."""
        jobs: list[_Job] = []
        job = self._jobs.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == MAX_BATCH:
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
