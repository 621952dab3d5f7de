"""The campaign of upload sessions, which move between workers, race, break off and outlive processes.

    life ──► clients drive sessions ──► a worker is killed ──► the end: SIGKILL to all, or a stop ──► next life

Sessions that are open at the end of a life continue in the next; the last life lasts until all have ended. Everything
follows from seeds, so a failed session can be repeated, except for the moment at which a process dies.
"""

import os
import signal
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from threading import Event, Thread

from faults.scores import Scale, Score
from faults.sessions.acts import drive
from faults.sessions.talk import Talk, Tally, Upload, new_upload
from faults.wire import wires_to_each
from harness.subjects import Running, Subject, running

CAMPAIGN = "upload sessions"
CLIENTS = 6
RETRY_SECONDS = 20.0
"""How long a client tries again after its connection broke: a killed worker is replaced within that."""

LIFE_SECONDS = 60.0
"""Most that is waited for a moment to end a life."""


@dataclass(frozen=True, slots=True)
class Load:
    """How much is done: `sessions` new ones in each of the `lives` of the registry."""

    lives: int
    sessions: int


LOADS = {Scale.PROOF: Load(2, 60), Scale.QUICK: Load(8, 300), Scale.FULL: Load(300, 300)}


def sessions(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Check that sessions go on anywhere from where they say, that one writer wins, and that every blob is right."""
    load, tally, ends = LOADS[scale], Tally(), Counter[str]()
    waiting: deque[Upload] = deque()
    for life in range(load.lives):
        waiting.extend(new_upload(f"{life}-{number}") for number in range(load.sessions))
        with running(subject, folder) as registry:
            _live(registry, waiting, tally, None if life == load.lives - 1 else _Ending(registry, waiting, life, ends))
    faults = [*tally.faults, *(f"session {upload.seed}: could not be brought to an end" for upload in waiting)]
    return Score(CAMPAIGN, subject.name, _figures(load, tally, ends), faults)


def _figures(load: Load, tally: Tally, ends: Mapping[str, int]) -> str:
    deaths = ", ".join(f"{count} {what}" for what, count in sorted(ends.items()))
    return (
        f"{load.lives * load.sessions:,} sessions, {tally.requests:,} requests, {tally.moved:,} on another worker than "
        f"the one before; {tally.finished:,} blobs compared, {tally.cancelled:,} cancelled, {tally.begun_anew:,} begun "
        f"again; {tally.acts['break_off']:,} broken off, {tally.acts['two_patches']:,} double chunks; "
        f"{deaths or 'nothing killed'}"
    )


class _Ending:
    """How one life ends: one of its workers is killed while most sessions wait, and all of it while few do."""

    def __init__(self, registry: Running, waiting: Sequence[Upload], life: int, ends: Counter[str]) -> None:
        self._registry = registry
        self._waiting = waiting
        self._random = Random(life)
        self._whole = "killed" if life % 2 == 0 else "stopped"
        self._ends = ends
        self.came = Event()

    def bring(self) -> None:
        """Wait for the moments and do it."""
        begun = len(self._waiting)
        self._wait(begun * self._random.uniform(0.4, 0.9))
        if workers := self._registry.processes()[1:]:
            os.kill(self._random.choice(workers), signal.SIGKILL)
            self._ends["workers killed"] += 1
        self._wait(begun * self._random.uniform(0.02, 0.3))
        self._ends[f"registries {self._whole}"] += 1
        self.came.set()
        if self._whole == "killed":
            self._registry.kill()
        else:
            self._registry.stop()

    def _wait(self, until: float) -> None:
        deadline = time.monotonic() + LIFE_SECONDS
        while len(self._waiting) > until and time.monotonic() < deadline:
            time.sleep(0.002)


def _live(registry: Running, waiting: deque[Upload], tally: Tally, ending: _Ending | None) -> None:
    """Drive the sessions that wait until all are over, or the end comes."""
    wires = wires_to_each(registry, each=CLIENTS)
    workers = len(wires) // CLIENTS
    came = ending.came if ending is not None else Event()
    clients = [
        Thread(target=_drive_all, args=(Talk(wires[start : start + workers], tally), waiting, came))
        for start in range(0, len(wires), workers)
    ]
    for client in clients:
        client.start()
    if ending is not None:
        ending.bring()
    for client in clients:
        client.join()


def _drive_all(talk: Talk, waiting: deque[Upload], came: Event) -> None:
    """Be one client: drive what waits; what breaks is driven on, in the next life where this one ended."""
    deadline = time.monotonic() + RETRY_SECONDS
    while waiting and not (came.is_set() and talk.broke) and time.monotonic() < deadline:
        try:
            upload = waiting.popleft()
        except IndexError:
            break  # another client took the last
        try:
            drive(talk, upload)
            deadline = time.monotonic() + RETRY_SECONDS
        except OSError:
            waiting.appendleft(upload)
            time.sleep(0.02)
    talk.hang_up()
