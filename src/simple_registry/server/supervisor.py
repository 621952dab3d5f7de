"""The parent process: it forks workers, replaces dead ones, and passes signals on.

    SIGTERM, SIGINT   stop accepting, finish the requests in flight (30 s), exit; a second one ends everything at once
    SIGHUP            read everything again; if it loads, a new worker takes each slot before its predecessor stops
    SIGCHLD           the slot of a dead worker gets a new one

It also follows the documents and the certificate. A new worker starts with the last ones that loaded, so neither an
invalid file nor a log that cannot be written keeps a worker from being replaced.

The parent has one thread and waits in one place (`_wait`). Signals arrive there as bytes on a pipe: their handlers do
nothing, so no code is ever interrupted. The parent serves no requests, and nothing that a worker does can end it.
"""

import gc
import logging
import math
import os
import selectors
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from operator import attrgetter

from simple_registry.config.followed import INTERVAL
from simple_registry.config.load import Configured
from simple_registry.config.rows import kept
from simple_registry.config.settings import ROWS
from simple_registry.config.values import ConfigError
from simple_registry.faults import StorageFault
from simple_registry.metrics.processes import Processes
from simple_registry.server.forking import SIGNALS, fork_worker
from simple_registry.server.listeners import Listeners
from simple_registry.server.service_manager import ServiceManager
from simple_registry.server.slots import DUMP_TIME, Event, HangWatch, Slot, Worker
from simple_registry.server.worker import DUMP_STACKS, GRACE, Build, Post, serve

# Seconds for a replaced worker to finish its uploads. Long, because it only has to end workers that hang.
_RETIREMENT_TIME = 900.0
# A signal can be sent both to the process and to its group: within this many seconds, both count as one.
_SAME_SIGNAL = 0.5
_RETRY_CHECK = 5.0
"""Seconds until files are checked again after an unexpected error."""
_RESTART_ONLY = tuple(row for row in ROWS if row.restart)

_log = logging.getLogger(__name__)


class StartFault(Exception):
    """The registry cannot start, for the reason that a worker reported, or because it died."""


class _Phase(Enum):
    """The phase of the server as a whole."""

    STARTING = auto()
    """Until all slots have served. A worker that ends in this phase ends the start."""
    SERVING = auto()
    STOPPING = auto()


@dataclass(slots=True)
class _Reload:
    """A reload in progress: the slots that still need a new worker, and the report for its end."""

    slots: list[Slot]
    outcome: str = "reloaded"


class Supervisor:
    """Keeps one worker in every slot until a signal ends it."""

    def __init__(
        self,
        configured: Configured,
        listeners: Listeners,
        *,
        build: Build,
        reread: Callable[[Configured], Configured],
        follow: Callable[[Configured], None],
        processes: Processes,
        manager: ServiceManager,
        report: Callable[[str, int, str], None],
    ) -> None:
        """Supervise workers of `build` on `listeners`.

        `reread` loads everything again, or raises `ConfigError`; `follow` checks the followed files once. Workers
        count their metrics in rows of `processes`. The service `manager` gets reports of the state of the server.
        `report` gets an address of the server, the number of reloads that ended, and the outcome of the last one.
        """
        self._configured = configured
        self._listeners = listeners
        self._build = build
        self._reread = reread
        self._follow = follow
        self._processes = processes
        self._manager = manager
        self._report = report
        self._reloads = 0
        self._slots = [Slot(number) for number in range(len(listeners.workers))]
        self._workers: dict[int, Worker] = {}
        """Every process that has not been reaped, by pid, including predecessors that are finishing."""
        self._phase = _Phase.STARTING
        self._reload: _Reload | None = None
        self._hang_watch = HangWatch()
        self._next_check = 0.0
        self._stopped_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._wakeup_reader, self._wakeup_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Never written to: workers hold the reading end, and get end-of-file when the parent is gone.
        self._alive_reader, self._alive_writer = os.pipe2(os.O_CLOEXEC)

    def run(self) -> int:
        """Serve until a signal ends it; return the exit code.

        Raises: StartFault when one of the first workers cannot start.
        """
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)  # the only effect of a signal is the byte on the wakeup pipe
        # Thousands of signals can fill the pipe; the bytes in it are enough to wake up.
        signal.set_wakeup_fd(self._wakeup_writer, warn_on_full_buffer=False)
        self._selector.register(self._wakeup_reader, selectors.EVENT_READ)
        gc.freeze()  # workers share what is loaded so far; a collection would write to it, and so copy it
        try:
            self._start_all()
            return self._supervise()
        finally:
            self._kill_all()
            signal.set_wakeup_fd(-1)
            if self._phase is _Phase.STOPPING:
                _log.info("stopped", extra={"fields": {"seconds": round(time.monotonic() - self._stopped_at, 3)}})

    # ---------------------------------------------------------------- the loop

    def _supervise(self) -> int:
        while True:
            for number in self._wait():
                if number in (signal.SIGTERM, signal.SIGINT):
                    if self._phase is not _Phase.STOPPING:
                        self._stop()
                    elif time.monotonic() >= self._stopped_at + _SAME_SIGNAL:
                        _log.warning("second signal; exiting at once, requests in flight are cut off")
                        return 1
                elif number == signal.SIGHUP and self._phase is _Phase.SERVING:
                    self._begin_reload()
            # In every round: signals merge, so one SIGCHLD may be for several children.
            self._reap()
            self._act_on_deadlines()
            self._processes.serving(sum(slot.serves for slot in self._slots))
            if self._phase is _Phase.STOPPING and not self._workers:
                return 0

    def _wait(self) -> list[int]:
        """Wait for signals, reports or the next deadline; return the signals."""
        due = [worker.due for worker in self._workers.values()] + [slot.refill_at for slot in self._slots]
        due += [] if self._phase is _Phase.STOPPING else [self._next_check]
        earliest = min(due, default=math.inf)
        timeout = None if earliest == math.inf else max(0.0, earliest - time.monotonic())
        signals: list[int] = []
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, Worker):
                self._read_report(key.data)
            else:
                signals += os.read(self._wakeup_reader, 512)
        return signals

    def _act_on_deadlines(self) -> None:
        """Act on everything that is due."""
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.deadline <= now:
                _log.warning("a worker did not exit in time and is killed", extra=worker.fields)
                worker.apply(Event.OVERDUE)
                os.kill(worker.pid, signal.SIGKILL)
        for slot in self._slots:
            if slot.refill_at <= now:
                self._refill(slot, now)
            if slot.is_unserved(now) and any(each.serves for each in self._slots):
                self._pause(slot)
        if self._phase is _Phase.STOPPING:
            return
        self._replace_hung(now)
        self._start_successor()
        if self._next_check <= now:
            self._check_files()

    def _check_files(self) -> None:
        """Check the followed files."""
        pause = INTERVAL
        try:
            self._follow(self._configured)
        except Exception:  # noqa: BLE001 (a bug in reading files must not end a registry that serves)
            _log.exception("checking the files failed")
            pause = _RETRY_CHECK
        self._next_check = time.monotonic() + pause

    def _pause(self, slot: Slot) -> None:
        """Have the kernel give the connections of a slot to the others; those in its queue are reset."""
        slot.paused = True
        if self._listeners.pause(slot.number):
            _log.warning(
                "no worker serves this slot; the others get its connections", extra={"fields": {"worker": slot.number}}
            )

    def _replace_hung(self, now: float) -> None:
        """Replace a worker whose event loop hangs; it first writes its stacks to the log."""
        serving = [slot.current for slot in self._slots if slot.current and slot.serves]
        count, worker = self._hang_watch.check(serving, now)
        if worker is not None:
            _log.error("the event loop of a worker hangs; its stacks follow, and it is replaced", extra=worker.fields)
            worker.apply(Event.HANG, deadline=now + DUMP_TIME)
            os.kill(worker.pid, DUMP_STACKS)
        elif count:
            _log.error("the event loop of %d of %d workers hangs; none is replaced", count, len(serving))

    # ---------------------------------------------------------------- workers

    def _start_all(self) -> None:
        try:
            for slot in self._slots:
                slot.current = self._fork(slot)
        except OSError as error:
            raise StartFault(
                f"cannot start {len(self._slots)} workers: {error.strerror}; try fewer with -workers"
            ) from error

    def _refill(self, slot: Slot, now: float) -> None:
        slot.refill_at = math.inf
        try:
            slot.current = self._fork(slot)
        except OSError as error:  # temporary: the system has no room for another process
            _log.error("cannot start a worker, trying again soon: %s", error)
            slot.vacate(now)

    def _fork(self, slot: Slot) -> Worker:
        row = self._processes.begin()
        try:
            pid, pipe = fork_worker(slot.number, partial(self._serve, slot, row))
        except OSError:
            self._processes.ended(row)
            raise
        worker = Worker(pid, slot, pipe, row)
        self._workers[pid] = worker
        self._selector.register(pipe, selectors.EVENT_READ, worker)
        return worker

    def _serve(self, slot: Slot, row: int | None, report: int) -> int:
        """Serve as a worker, in the child, after closing all inherited descriptors that it does not need."""
        self._processes.become(row)
        self._selector.close()
        # Above all the writing end of the alive pipe: with a copy in a worker, it would never reach end-of-file.
        pipes = [worker.pipe for worker in self._workers.values() if worker.pipe >= 0]
        for inherited in (self._wakeup_reader, self._wakeup_writer, self._alive_writer, *pipes):
            os.close(inherited)
        listeners = self._listeners.workers[slot.number]
        kept = {listener.socket for listener in listeners}
        for other in {each.socket for worker in self._listeners.workers for each in worker} - kept:
            other.close()
        metrics = self._listeners.metrics.workers[0] if self._listeners.metrics else ()
        return serve(self._configured, Post(slot.number, listeners, report, self._alive_reader, metrics), self._build)

    def _read_report(self, worker: Worker) -> None:
        """Read the report of a worker: ready, or why it cannot start; later, beats."""
        data = os.read(worker.pipe, 4096)
        if not data:
            self._close_report(worker)
        elif worker.read_report(data, time.monotonic()):
            self._mark_ready(worker)

    def _close_report(self, worker: Worker) -> None:
        self._selector.unregister(worker.pipe)
        os.close(worker.pipe)
        worker.pipe = -1

    def _mark_ready(self, worker: Worker) -> None:
        self._listeners.resume(worker.slot.number)
        predecessor = worker.slot.fill(worker)
        if predecessor is not None:
            self._ask_to_stop(predecessor, time.monotonic() + _RETIREMENT_TIME)
        if self._phase is _Phase.STARTING and all(slot.serves for slot in self._slots):
            self._phase = _Phase.SERVING
            self._write_report("started")  # first: `health` and `reload` work once the log says that it listens
            urls = self._urls()
            if self._listeners.metrics is not None:
                _log.info("metrics on %s/metrics", self._listeners.metrics.urls(tls=False)[0])
            _log.info("listening on %s", ", ".join(urls), extra={"fields": {"workers": len(self._slots)}})
            self._manager.ready(f"listening on {', '.join(urls)}")

    def _ask_to_stop(self, worker: Worker, deadline: float) -> None:
        """Ask a worker to finish and exit by a deadline."""
        worker.apply(Event.STOP, deadline=deadline)
        os.kill(worker.pid, signal.SIGTERM)

    def _reap(self) -> None:
        """Reap exited workers."""
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                while worker.pipe >= 0:  # its last report, such as why it cannot start, may still be in the pipe
                    self._read_report(worker)
                worker.apply(Event.EXIT)
                del self._workers[pid]
                self._processes.ended(worker.row)
                self._replace_ended(worker, os.waitstatus_to_exitcode(status))

    def _replace_ended(self, worker: Worker, code: int) -> None:
        slot, reason = worker.slot, worker.reason(code)
        if self._phase is _Phase.STOPPING or worker not in (slot.current, slot.successor):
            return  # as requested
        if self._phase is _Phase.STARTING:
            raise StartFault(f"worker {slot.number} cannot start: {reason}")
        if worker is slot.successor:
            slot.successor = None
            self._give_up_reload(f"a new worker cannot start: {reason}")
            return
        _log.error("a worker died and is replaced: %s", reason, extra=worker.fields)
        self._processes.died()
        now = time.monotonic()
        slot.vacate(now, served=max(0.0, now - worker.serving_since))

    # ---------------------------------------------------------------- signals

    def _stop(self) -> None:
        _log.info("stopping; finishing requests in flight")
        self._manager.stopping()
        self._phase = _Phase.STOPPING
        self._stopped_at = time.monotonic()
        self._listeners.close()
        for slot in self._slots:
            slot.refill_at = math.inf
        for worker in self._workers.values():
            self._ask_to_stop(worker, self._stopped_at + GRACE)

    def _begin_reload(self) -> None:
        self._manager.reloading()
        try:
            reread = self._reread(self._configured)
        except Exception as error:  # noqa: BLE001 (a bug in reading files must not end a registry that serves)
            self._refuse_reload(error)
            return
        self._processes.reloaded(done=True)
        before, after = self._configured.settings, reread.settings
        for row in _RESTART_ONLY:
            value = attrgetter(row.attribute)
            if value(before) != value(after):
                _log.warning("a changed %s takes effect only after a restart", row.label)
        self._configured = replace(reread, settings=kept(before, after, _RESTART_ONLY))
        self._reload = _Reload(list(self._slots))  # a reload in progress starts over with the new settings
        _log.info("reloaded; workers are replaced one after another")

    def _refuse_reload(self, error: Exception) -> None:
        self._processes.reloaded(done=False)
        expected = isinstance(error, ConfigError)
        reason = str(error) if expected else "unexpected error; see the log"
        _log.error("not reloaded, nothing was changed: %s", reason, exc_info=None if expected else error)
        if self._reload is None:  # otherwise the reload in progress reports its end
            self._report_reload(f"not reloaded: {reason}")

    def _report_reload(self, outcome: str) -> None:
        self._manager.ready(outcome)
        self._reloads += 1
        self._write_report(outcome)

    def _write_report(self, outcome: str) -> None:
        try:
            self._report(self._urls()[0], self._reloads, outcome)
        except StorageFault as fault:
            _log.warning("the state of the server cannot be written: %s", fault)

    def _urls(self) -> Sequence[str]:
        return self._listeners.urls(tls=self._configured.certificate is not None)

    def _give_up_reload(self, reason: str) -> None:
        self._reload = _Reload([], f"reload abandoned: {reason}")
        self._processes.reload_failed()
        _log.error("reload abandoned: %s", reason)

    def _start_successor(self) -> None:
        """Start the next new worker of a reload, one at a time."""
        if self._reload is None or any(slot.successor for slot in self._slots):
            return
        if not self._reload.slots:
            self._report_reload(self._reload.outcome)
            self._reload = None
            return
        slot = self._reload.slots.pop(0)
        try:
            slot.successor = self._fork(slot)
        except OSError as error:
            self._give_up_reload(f"a new worker cannot be started: {error}")

    def _kill_all(self) -> None:
        """Kill all remaining workers, after a failed start or a second signal."""
        self._listeners.close()
        for pid in self._workers:
            os.kill(pid, signal.SIGKILL)
        for pid in self._workers:
            os.waitpid(pid, 0)
        self._workers.clear()
