"""Forks workers, which report to the parent on a pipe.

The child never returns into the code of the parent: it always exits.
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
    """Fork a process that calls `run` with the writing end of a pipe, and exits with the returned code.

    Returns the pid, and the reading end of the pipe.

    Raises: OSError; signals and descriptors are then unchanged.
    """
    ours, its = os.pipe2(os.O_CLOEXEC)
    # Block signals: until the child has its own handlers, a signal to it would go to the parent's wakeup pipe.
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
    os.close(its)  # otherwise the pipe would not reach end-of-file when the child ends
    return pid, ours


def _run_child(number: int, run: Callable[[int], int], ours: int, its: int) -> NoReturn:
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # The terminal sends these to the whole process group; the parent decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.close(ours)
        code = run(its)
    except BaseException:  # noqa: BLE001 (no exception may return into the code of the parent)
        _log.exception("worker %d failed", number)
    finally:
        os._exit(code)
