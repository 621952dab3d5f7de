"""The parent process: it forks workers, replaces those that die, and passes on what it is told.

    SIGTERM, SIGINT   stop accepting, finish what is in flight (30 s), exit; a later second one ends everything at once
    SIGHUP            read everything again; if it loads, a new worker takes each slot before the old one is asked to go
    SIGCHLD           a slot whose worker died gets a new one, at once

It also follows the documents and the certificate: a new worker begins with those that loaded last, so that a file that
is wrong never keeps a worker from being replaced. Nor does a log that cannot be written.

It has one thread and waits in one place (`_wait`); signals arrive there as bytes on a pipe, so that handlers do nothing
and a fork never happens in the middle of anything. It never serves a request, and nothing a worker does can end it.
"""

import gc
import logging
import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from operator import attrgetter
from typing import NoReturn

from simple_registry.config.followed import INTERVAL
from simple_registry.config.load import Configured
from simple_registry.config.rows import kept
from simple_registry.config.settings import ROWS
from simple_registry.config.values import ConfigError
from simple_registry.metrics.processes import Processes
from simple_registry.server.listeners import Listeners
from simple_registry.server.service_manager import ServiceManager
from simple_registry.server.slots import Slot, Worker
from simple_registry.server.worker import DUMP_STACKS, GRACE, READY, Build, Post, serve

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
# A worker that a reload retired may finish long uploads; this only ends those that hang.
_RETIREMENT = 900.0
HANG = 30.0
"""Seconds without a beat after which the event loop of a worker is taken to hang."""
HANG_PAUSE = 300.0
"""Seconds between two workers that are replaced because they hang."""
_DUMP_TIME = 1.0
# Some send one order twice, to the process and to its group: within this many seconds it is the same order.
_ECHO = 0.5
_LOOK_AGAIN = 5.0
"""Seconds until the next look at files after one that failed as none should."""
_RESTART_ONLY = tuple(row for row in ROWS if row.restart)

_log = logging.getLogger(__name__)


class StartFault(Exception):
    """The registry cannot start: a worker said why, or died before it could."""


class Supervisor:
    """Keeps one worker in every slot until it is told to stop."""

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
    ) -> None:
        """Supervise workers of `build` on `listeners`.

        `reread` loads everything again, or raises `ConfigError`; `follow` looks at the files that are followed, once.
        Each worker, and what becomes of them, is measured among `processes`, and told to the service `manager`.
        """
        self._configured = configured
        self._listeners = listeners
        self._build = build
        self._reread = reread
        self._follow = follow
        self._processes = processes
        self._manager = manager
        self._slots = [Slot(number) for number in range(len(listeners.workers))]
        self._workers: dict[int, Worker] = {}
        self._to_roll: list[Slot] = []
        self._reload: str | None = None
        """While a reload is under way: what will be said of it."""
        self._look_at = 0.0
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken_by = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._life_line, self._life = os.pipe2(os.O_CLOEXEC)
        self._serving = False
        self._stopping = False
        self._stopped_at = 0.0
        self._hang_ended = -HANG_PAUSE

    def run(self) -> int:
        """Serve until a signal ends it; return the exit code.

        Raises:
            StartFault: a worker could not start when all were started first.

        """
        for number in _SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.set_wakeup_fd(self._woken_by, warn_on_full_buffer=False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        gc.freeze()  # what is loaded by now is shared with every worker; collecting it would copy it
        try:
            self._fill_all()
            return self._supervise()
        finally:
            self._end(signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            if self._stopping:
                _log.info("stopped", extra={"fields": {"seconds": round(time.monotonic() - self._stopped_at, 3)}})

    # ---------------------------------------------------------------- the loop

    def _supervise(self) -> int:
        while True:
            for number in self._wait():
                if number in (signal.SIGTERM, signal.SIGINT):
                    if self._stopping and time.monotonic() < self._stopped_at + _ECHO:
                        continue
                    if self._stopping:
                        _log.warning("ended at once; requests in flight are cut")
                        return 1
                    self._stop()
                elif number == signal.SIGHUP and self._serving and not self._stopping:
                    self._begin_reload()
            self._reap()
            self._attend()
            self._processes.serving(sum(slot.serves for slot in self._slots))
            if self._stopping and not self._workers:
                return 0

    def _wait(self) -> list[int]:
        """Wait for signals, reports or the next moment at which something is due; return the signals."""
        due = [worker.deadline for worker in self._workers.values() if worker.deadline is not None]
        due += [slot.refill_at for slot in self._slots if slot.refill_at is not None]
        due += [slot.current.heard + HANG for slot in self._slots if slot.current is not None and slot.current.ready]
        due += [] if self._stopping else [self._look_at]
        timeout = max(0.0, min(due) - time.monotonic()) if due else None
        signals: list[int] = []
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, Worker):
                self._hear(key.data)
            else:
                signals += os.read(self._wake, 512)
        return signals

    def _attend(self) -> None:
        """Do what has become due."""
        now = time.monotonic()
        for worker in self._workers.values():
            if worker.deadline is not None and worker.deadline <= now:
                _log.warning("a worker did not end in time and is killed", extra=worker.fields)
                worker.deadline = None
                os.kill(worker.pid, signal.SIGKILL)
        for slot in self._slots:
            if slot.refill_at is not None and slot.refill_at <= now and not self._stopping:
                self._refill(slot, now)
            if slot.is_unserved(now) and any(each.serves for each in self._slots):
                self._rest(slot)
        if not self._stopping:
            self._end_hung(now)
        self._roll_next()
        if self._look_at <= now and not self._stopping:
            self._look()

    def _look(self) -> None:
        """Look at the files that are followed."""
        pause = INTERVAL
        try:
            self._follow(self._configured)
        except Exception:  # noqa: BLE001 (a defect in reading files must not end a registry that serves)
            _log.exception("looking at the files failed")
            pause = _LOOK_AGAIN
        self._look_at = time.monotonic() + pause

    def _rest(self, slot: Slot) -> None:
        """Have the kernel give a slot's share of the connections to the others; those that wait there are reset."""
        slot.resting = True
        if self._listeners.rest(slot.number):
            _log.warning(
                "no worker serves here; the others get its connections", extra={"fields": {"worker": slot.number}}
            )

    def _end_hung(self, now: float) -> None:
        """End a worker whose event loop hangs, after it has written its stacks to the log.

        When all of them hang, the cause is outside, a stalled disk most likely, and new workers would hang as well.
        """
        serving = [slot.current for slot in self._slots if slot.current is not None and slot.current.ready]
        hung = [worker for worker in serving if worker.heard + HANG <= now and worker.deadline is None]
        for worker in hung:
            worker.heard = now  # looked at again after as long a time
        if not hung or len(hung) == len(serving) or now < self._hang_ended + HANG_PAUSE:
            if hung:
                _log.error("the event loop of %d of %d workers hangs; none is replaced", len(hung), len(serving))
            return
        worker = hung[0]
        self._hang_ended = now
        _log.error("the event loop of a worker hangs; its stacks follow, and it is replaced", extra=worker.fields)
        os.kill(worker.pid, DUMP_STACKS)
        worker.deadline = now + _DUMP_TIME

    # ---------------------------------------------------------------- workers

    def _fill_all(self) -> None:
        try:
            for slot in self._slots:
                slot.current = self._fork(slot)
        except OSError as error:
            raise StartFault(
                f"cannot start {len(self._slots)} workers: {error.strerror}; try fewer with -workers"
            ) from error

    def _refill(self, slot: Slot, now: float) -> None:
        slot.refill_at = None
        try:
            slot.current = self._fork(slot)
        except OSError as error:  # the machine has no room for a process right now
            _log.error("a worker cannot be started, the next attempt follows: %s", error)
            slot.died(now)

    def _fork(self, slot: Slot) -> Worker:
        heard, report = os.pipe2(os.O_CLOEXEC)
        # A signal between fork and the reset below would be written to the parent's pipe by the child.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        row = self._processes.begin()
        try:
            pid = os.fork()
        except OSError:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            os.close(heard)
            os.close(report)
            self._processes.ended(row)
            raise
        if pid == 0:
            self._processes.become(row)
            metrics = self._listeners.metrics.workers[0] if self._listeners.metrics else ()
            listeners = self._listeners.workers[slot.number]
            self._become_worker(Post(slot.number, listeners, report, self._life_line, metrics))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        os.close(report)
        worker = Worker(pid, slot, heard, row)
        self._workers[pid] = worker
        self._selector.register(heard, selectors.EVENT_READ, worker)
        return worker

    def _become_worker(self, post: Post) -> NoReturn:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in _SIGNALS:
                signal.signal(number, signal.SIG_DFL)
            for number in (signal.SIGINT, signal.SIGHUP):  # the terminal sends these to everyone; the parent decides
                signal.signal(number, signal.SIG_IGN)
            self._selector.close()
            for inherited in (self._wake, self._woken_by, self._life, *self._reports()):
                os.close(inherited)
            kept = {listener.socket for listener in post.listeners}
            for listener in {each.socket for worker in self._listeners.workers for each in worker} - kept:
                listener.close()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
            code = serve(self._configured, post, self._build)
        except BaseException:  # noqa: BLE001 (the end of this process: nothing may return into the parent's code)
            _log.exception("worker %d failed", post.number)
        finally:
            os._exit(code)

    def _reports(self) -> list[int]:
        return [worker.report for worker in self._workers.values() if worker.report >= 0]

    def _hear(self, worker: Worker) -> None:
        """Read a worker's report: that it is ready, or why it cannot start; later, its beats."""
        said = os.read(worker.report, 4096)
        worker.heard = time.monotonic()
        if not said:
            self._deaf(worker)
        elif not worker.ready:
            worker.said += said
            if worker.said.startswith(READY):
                worker.ready, worker.serves_since = True, worker.heard
                self._welcome(worker)

    def _deaf(self, worker: Worker) -> None:
        if worker.report >= 0:
            self._selector.unregister(worker.report)
            os.close(worker.report)
            worker.report = -1

    def _welcome(self, worker: Worker) -> None:
        self._listeners.wake(worker.slot.number)
        before = worker.slot.welcome(worker)
        if before is not None:
            self._tell(before, time.monotonic() + _RETIREMENT)
        if not self._serving and all(slot.serves for slot in self._slots):
            self._serving = True
            urls = self._listeners.urls(tls=self._configured.certificate is not None)
            if self._listeners.metrics is not None:
                _log.info("metrics on %s/metrics", self._listeners.metrics.urls(tls=False)[0])
            _log.info("listening on %s", ", ".join(urls), extra={"fields": {"workers": len(self._slots)}})
            self._manager.ready(f"listening on {', '.join(urls)}")

    def _reap(self) -> None:
        """Take leave of every worker that ended."""
        for worker in list(self._workers.values()):
            pid, status = os.waitpid(worker.pid, os.WNOHANG)
            if pid:
                while worker.report >= 0:  # its last words are still in the pipe
                    self._hear(worker)
                del self._workers[pid]
                self._processes.ended(worker.row)
                self._ended(worker, os.waitstatus_to_exitcode(status))

    def _ended(self, worker: Worker, code: int) -> None:
        slot, reason = worker.slot, worker.reason(code)
        if self._stopping or worker not in (slot.current, slot.successor):
            return
        if not self._serving:
            raise StartFault(f"worker {slot.number} cannot start: {reason}")
        if worker is slot.successor:
            slot.successor = None
            self._give_up_reload(f"a new worker cannot start: {reason}")
            return
        _log.error("a worker died and is replaced: %s", reason, extra=worker.fields)
        self._processes.died()
        now = time.monotonic()
        slot.died(now, served=0.0 if worker.serves_since is None else now - worker.serves_since)

    def _tell(self, worker: Worker, deadline: float) -> None:
        """Ask a worker to finish and end."""
        worker.deadline = deadline
        os.kill(worker.pid, signal.SIGTERM)

    # ---------------------------------------------------------------- orders

    def _stop(self) -> None:
        _log.info("stopping; requests in flight are finished")
        self._manager.stopping()
        self._stopping = True
        self._stopped_at = time.monotonic()
        self._listeners.close()
        for slot in self._slots:
            slot.refill_at = None
        for worker in self._workers.values():
            self._tell(worker, time.monotonic() + GRACE)

    def _begin_reload(self) -> None:
        self._manager.reloading()
        try:
            reread = self._reread(self._configured)
        except Exception as error:  # noqa: BLE001 (a defect in reading files must not end a registry that serves)
            self._refuse_reload(error)
            return
        self._processes.reloaded(done=True)
        before, after = self._configured.settings, reread.settings
        for row in _RESTART_ONLY:
            value = attrgetter(row.attribute)
            if value(before) != value(after):
                _log.warning("a changed %s takes effect only after a restart", row.label)
        self._configured = replace(reread, settings=kept(before, after, _RESTART_ONLY))
        self._to_roll, self._reload = list(self._slots), "reloaded"
        _log.info("reloaded; workers are replaced one after another")

    def _refuse_reload(self, error: Exception) -> None:
        self._processes.reloaded(done=False)
        expected = isinstance(error, ConfigError)
        reason = str(error) if expected else "an unexpected failure; see the log"
        _log.error("not reloaded, everything stays as it was: %s", reason, exc_info=None if expected else error)
        if self._reload is None:
            self._manager.ready(f"not reloaded: {reason}")

    def _give_up_reload(self, reason: str) -> None:
        self._to_roll.clear()
        self._reload = f"the reload is given up, {reason}"
        _log.error("the reload is given up, %s", reason)

    def _roll_next(self) -> None:
        """Start the next successor of a reload, when none is on its way."""
        if self._stopping or self._reload is None or any(slot.successor for slot in self._slots):
            return
        if not self._to_roll:
            self._manager.ready(self._reload)
            self._reload = None
            return
        slot = self._to_roll.pop(0)
        try:
            slot.successor = self._fork(slot)
        except OSError as error:
            self._give_up_reload(f"a new worker cannot be started: {error}")

    def _end(self, number: signal.Signals) -> None:
        self._listeners.close()
        for worker in self._workers.values():
            os.kill(worker.pid, number)
        for pid in self._workers:
            os.waitpid(pid, 0)
        self._workers.clear()
