"""The campaign of histories: many clients on all workers, and one order of operations must explain every answer.

    round ──► clients in several processes, several connections each ──► a final read of everything ──► check

Each round has its own repositories, so an operation without an answer stays open for one round only, and only one
round's history is in memory. The check is exact: it finds a lost update, a stale read, a deletion acknowledged to two
clients, an inconsistent listing, even if only one of a hundred thousand answers shows it.
"""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from random import Random
from threading import Event, Thread

from faults.histories.clients import Client, Key, Log
from faults.histories.linearizable import Act, Operation, Undecided, check
from faults.scores import Scale, Score
from faults.wire import Wire
from harness.subjects import Running, Subject, running

CAMPAIGN = "concurrent histories"


@dataclass(frozen=True, slots=True)
class Load:
    """How much is done: `requests` by each of `clients` connections in each of `processes`, `rounds` times."""

    rounds: int
    processes: int
    clients: int
    requests: int
    kill: bool = False
    """Whether a worker is killed in each round. More kills would leave more open than can be decided."""


LOADS = {
    Scale.PROOF: Load(rounds=1, processes=2, clients=8, requests=300),
    Scale.QUICK: Load(rounds=21, processes=2, clients=8, requests=320),
    Scale.FULL: Load(rounds=400, processes=2, clients=8, requests=320, kill=True),
}


def histories(subject: Subject, folder: Path, scale: Scale) -> Score:
    """Check that concurrent pushes, reads, moves, mounts and deletions have an order that explains every answer."""
    load = LOADS[scale]
    total = Totals()
    faults: list[str] = []
    with (
        running(subject, folder) as registry,
        ProcessPoolExecutor(load.processes, get_context("spawn")) as pool,
    ):
        for number in range(load.rounds):
            logs = _round(registry, pool, load, number)
            registers = by_register(logs)
            total.registers += len(registers)
            total.operations += sum(map(len, registers.values()))
            faults += violations(registers)
            for log in logs:
                total.requests += log.requests
                total.broken += log.broken
                total.unexpected += log.unexpected
                total.unsupported += log.unsupported
    if not load.kill:
        faults += [f"{count} times: {what}" for what, count in total.unexpected.most_common()]
    return Score(CAMPAIGN, subject.name, str(total), faults)


@dataclass(slots=True)
class Totals:
    """What all rounds came to."""

    requests: int = 0
    operations: int = 0
    registers: int = 0
    broken: int = 0
    unexpected: Counter[str] = field(default_factory=Counter)
    unsupported: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        figures = [
            f"{self.requests:,} requests, {self.operations:,} operations on {self.registers:,} registers checked"
        ]
        if self.broken:
            figures.append(f"{self.broken} connections broken by killed workers")
        figures += [f"not offered: {what}" for what in self.unsupported]
        return "; ".join(figures)


def by_register(logs: Sequence[Log]) -> Mapping[Key, Sequence[Operation]]:
    """Return the history of each register; a listing reads the register of everything that it might have shown."""
    registers: defaultdict[Key, list[Operation]] = defaultdict(list)
    for log in logs:
        for key, operation in log.operations:
            registers[key].append(operation)
    referrers = {each for log in logs for each in log.referrers}
    for log in logs:
        for repository, listed, called, answered in log.listings:
            for where, digest in referrers:
                if where == repository:
                    read = Operation(Act.READ, True if digest in listed else None, called, answered)
                    registers["manifest", repository, digest].append(read)
    return registers


def violations(registers: Mapping[Key, Sequence[Operation]]) -> Sequence[str]:
    """Return what no order explains, a line for each register."""
    found = []
    for key, history in registers.items():
        try:
            violation = check(history)
        except Undecided as reason:
            found.append(f"{' '.join(key)}: undecided: {reason}")
        else:
            if violation is not None:
                found.append(f"{' '.join(key)}: {violation}")
    return found


def _round(registry: Running, pool: ProcessPoolExecutor, load: Load, number: int) -> Sequence[Log]:
    """Let all clients work on two fresh repositories, then look at everything in peace."""
    repositories = (f"r{number}/a", f"r{number}/b")
    log = Log()
    with Wire(registry.address) as wire:
        client = Client(wire, log, f"{number} quiet", repositories)
        client.prepare()
        work = [
            pool.submit(crowd, registry.address, f"{number} {process}", repositories, load)
            for process in range(load.processes)
        ]
        with _killing_a_worker(registry, Random(number)) if load.kill else nullcontext():
            logs = [log for each in work for log in each.result()]
        client.look_at_everything()
    return [log, *logs]


def crowd(address: str, name: str, repositories: tuple[str, str], load: Load) -> Sequence[Log]:
    """Be the clients of one process, a thread each."""

    def one(number: int) -> Log:
        log = Log()
        with Wire(address) as wire:
            Client(wire, log, f"{name} {number}", repositories).work(load.requests)
        return log

    with ThreadPoolExecutor(load.clients) as threads:
        return list(threads.map(one, range(load.clients)))


@contextmanager
def _killing_a_worker(registry: Running, random: Random) -> Iterator[None]:
    """Kill one worker, of those that there are, somewhere in the first seconds of the block."""
    over = Event()

    def kill() -> None:
        over.wait(random.uniform(0.1, 1.5))
        if workers := registry.processes()[1:]:
            os.kill(random.choice(workers), signal.SIGKILL)

    killer = Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
