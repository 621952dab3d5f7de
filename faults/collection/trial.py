"""Collections beside a registry, one after another, each of which clients meet at a step."""

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path

import apsw

from faults.client import Client, Refused
from faults.collection.collector import Collector
from faults.collection.races import RACES, Ledger, Race, Unanswered
from faults.crashes.data_directory import check_files
from faults.ext4 import Ext4
from harness.subjects import Running, Subject, running

OLD = 7200.0
"""Seconds by which content becomes older: two graces."""
TURN = 0.4
"""Seconds in which requests are answered that do not wait for the collector."""
_AGE = tuple(
    f"UPDATE {table} SET since = since - {OLD} WHERE state <> 'needed'" for table in ("repository_blobs", "manifests")
)


class Death(StrEnum):
    """What dies while a collection is held at a step."""

    NOTHING = "nothing"
    COLLECTOR = "the collector"
    ALL = "everything"
    POWER = "the power"


class Trial:
    """A registry, its collector and their data, on a disk whose power can be cut, or on any."""

    def __init__(self, subject: Subject, folder: Path, disk: Ext4 | None = None) -> None:
        self.faults: list[str] = []
        self.checked = 0
        """What was compared with what was acknowledged."""
        self.longest = 0.0
        """Seconds of the longest collection."""
        self.data = folder / "data" if disk is None else disk.path / "data"
        self._subject = subject
        self._folder = folder
        self._disk = disk
        self._rounds = 0
        self._collector = Collector(subject, folder, self.data)
        self._pool = ThreadPoolExecutor(len(RACES))
        self._start()

    def close(self) -> None:
        """End all processes."""
        self._collector.kill()
        self._stack.close()
        self._pool.shutdown()

    def round(self, step: str, death: Death) -> None:
        """Let all races meet one collection at a step, or after its end, and let something die there.

        Raises: DidNotStart, Failed.
        """
        self._rounds += 1
        ledger = Ledger()
        races = [race(Client(self._registry.address), ledger, self._rounds) for race in RACES]
        self._all(races, lambda race: race.prepare())
        self._collect()
        self._age()
        self._all(races, lambda race: race.begin())
        held = self._collector.collect(step)
        if death is Death.COLLECTOR:
            self._collector.kill()
        acting = self._begin(races, lambda race: race.act())
        wait(acting, TURN)  # what waits for the right to remove content is answered once the collector goes on
        if death is Death.NOTHING and held:
            self._collector.go_on()
        if death in {Death.ALL, Death.POWER}:
            self._die(ledger, death)
        self._end(acting, answered=death in {Death.NOTHING, Death.COLLECTOR})
        if death in {Death.ALL, Death.POWER}:
            self._restart(ledger, races)
        self._settle(ledger)

    def _die(self, ledger: Ledger, death: Death) -> None:
        if death is Death.POWER and self._disk is not None:
            ledger.power = False
            self._disk.cut()
        self._registry.kill()
        self._collector.kill()

    def _restart(self, ledger: Ledger, races: Iterable[Race]) -> None:
        self._stack.close()
        if not ledger.power and self._disk is not None:
            self._disk.replug()
            ledger.power = True
        self._start()
        for race in races:
            race.client = Client(self._registry.address)
        self._all(races, lambda race: race.again())

    def _settle(self, ledger: Ledger) -> None:
        """Let two more graces pass, and look at everything."""
        for _ in range(2):
            self._collect()
            self._age()
        self._collect()
        client = Client(self._registry.address)
        for path, data in ledger.kept.items():
            answer = client.get(path)
            if answer.body != data:
                self.faults.append(f"lost: {path}: {answer}")
        self.faults += [f"still served: {path}" for path in ledger.ended if client.get(path).status != 404]
        self.faults += [
            f"not removed: {digest}" for digest in ledger.removed if self._registry.blob_path(digest).exists()
        ]
        self.faults += check_files(self.data)
        self.checked += len(ledger.kept) + len(ledger.ended) + len(ledger.removed)

    def _collect(self) -> None:
        begun = time.monotonic()
        self._collector.collect()
        self.longest = max(self.longest, time.monotonic() - begun)

    def _age(self) -> None:
        """Let everything that is not needed become older than the grace.

        A clock that is set would make what clients ask for now as old as the rest.
        """
        connection = apsw.Connection(str(self.data / "registry.db"), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.set_busy_timeout(10_000)
            with connection:
                for statement in _AGE:
                    connection.execute(statement)
        finally:
            connection.close()

    def _all(self, races: Iterable[Race], deed: Callable[[Race], None]) -> None:
        self._end(self._begin(races, deed), answered=True)

    def _begin(self, races: Iterable[Race], deed: Callable[[Race], None]) -> list["Future[None]"]:
        return [self._pool.submit(deed, race) for race in races]

    def _end(self, deeds: Iterable["Future[None]"], *, answered: bool) -> None:
        """Wait for clients. With `answered`, each of their requests must be."""
        for deed in deeds:
            error = deed.exception()
            if isinstance(error, Refused) or (answered and isinstance(error, Unanswered)):
                self.faults.append(f"a client was refused: {error}")
            elif error is not None and not isinstance(error, Unanswered):
                raise error

    def _start(self) -> None:
        with ExitStack() as stack:
            self._registry: Running = stack.enter_context(running(self._subject, self._folder, data=self.data))
            self._stack = stack.pop_all()
