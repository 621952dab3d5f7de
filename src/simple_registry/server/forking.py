"""Forking a worker, which reports to its parent on a pipe.

The child never returns into the code of the parent: whatever happens in it, it exits.
"""

import logging
import os
import signal
from collections.abc import Callable
from typing import NoReturn

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""The signals that the parent handles."""

_log = logging.getLogger(__name__)


def fork_worker(number: int, run: Callable[[int], int]) -> tuple[int, int]:
    """Fork a process that calls `run` with its end of a pipe, and exits with the code that it returns.

    Returns its pid, and our end of the pipe.

    Raises: OSError; signals and descriptors are then as they were.
    """
    ours, its = os.pipe2(os.O_CLOEXEC)
    # Until the child has handlers of its own, a signal would run the parent's in it, and reach the parent's pipe.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _run_child(number, run, ours, its)
    except OSError:
        os.close(ours)
        os.close(its)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    os.close(its)  # so that its end, and with it the end of the child, is seen here
    return pid, ours


def _run_child(number: int, run: Callable[[int], int], ours: int, its: int) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The terminal sends these to every process of its group; the parent decides what follows.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(ours)
        code = run(its)
    except BaseException:  # noqa: BLE001 (the end of this process: nothing may return into the parent's code)
        _log.exception("worker %d failed", number)
    finally:
        os._exit(code)
