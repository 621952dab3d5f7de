"""Clients that use a registry all the time, one thread each, also while it breaks.

    workload = Workload(lambda: registry.address, ledger, seed=1, clients=4)
    workload.start() … workload.pause() … workload.go_on() … workload.stop()

A client whose connection broke waits until the registry answers again. `strike` runs an action, such as a kill, at the
moment in which a client has read its acknowledgement: no later pause hides what was not durable by then.
"""

import threading
import time
import traceback
from collections.abc import Callable, Sequence
from random import Random

from faults.crashes.connection import Connection, Unanswered
from faults.crashes.exclusive_client import BrokenPromise, ExclusiveClient
from faults.crashes.ledger import Ledger
from faults.crashes.pushing import Surprise, learn
from faults.crashes.sharing_client import Shared, SharingClient

SHARED = 0.25
"""The share of what clients do where all of them do it."""
PARK_SECONDS = 90.0


class Workload:
    """Clients over one registry, whose address may change while they are paused."""

    def __init__(self, address: Callable[[], str], ledger: Ledger, *, seed: int, clients: int) -> None:
        connection = Connection(address)
        self.ledger = ledger
        self.faults: list[str] = []
        """What clients saw that must not be."""
        self.longest_gap = 0.0
        """Seconds for which a client got no answer while it was not paused."""
        self.abilities = learn(connection)
        shared = Shared(seed, ledger, clients)
        shared.prepare(connection)
        connection.close()
        ledger.on_acknowledge = self._acknowledged
        self._gate = Gate(clients)
        self._blind = False
        self._strike: Callable[[], None] | None = None
        self._after = 0
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._live, args=(number, seed, shared, Connection(address)), daemon=True)
            for number in range(clients)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def pause(self) -> None:
        """Return once no client has anything under way."""
        self._gate.close()

    def go_on(self) -> None:
        self._blind = False
        self._gate.open()

    def look_away(self) -> None:
        """Until they go on, clients note nothing that they see: the registry works on a disk that fails."""
        self._blind = True

    def stop(self) -> None:
        """End the clients, which are paused or not."""
        self._gate.end()
        for thread in self._threads:
            thread.join(PARK_SECONDS)

    def strike(self, action: Callable[[], None], *, after: int, seconds: float) -> None:
        """Run `action` in the moment of the `after`th acknowledgement from now, or in `seconds`; return then."""
        done = threading.Event()

        def strike() -> None:
            try:
                action()
            finally:
                done.set()

        with self._lock:
            self._strike, self._after = strike, after
        if not done.wait(seconds):
            self._run_strike(due=True)
            done.wait()

    def _acknowledged(self) -> None:
        if self._strike is not None:
            self._run_strike(due=False)

    def _run_strike(self, *, due: bool) -> None:
        with self._lock:
            self._after -= 1
            if not due and self._after > 0:
                return
            strike, self._strike = self._strike, None
        if strike is not None:
            strike()

    # ---------------------------------------------------------------- one client

    def _live(self, number: int, seed: int, shared: Shared, connection: Connection) -> None:
        owner = ExclusiveClient(number, seed, self.ledger, connection, self.abilities)
        sharer = SharingClient(number, seed, shared, connection, self.abilities)
        random = Random(f"client {seed}/{number}")
        try:
            while self._gate.passed():
                self._act(sharer.act if random.random() < SHARED else owner.act, connection)
        except Exception:  # noqa: BLE001 (a client that dies would make the campaign an idle one)
            self.faults.append(f"client {number} failed: {traceback.format_exc()}")
        finally:
            connection.close()
            self._gate.leave()

    def _act(self, deed: Callable[[], None], connection: Connection) -> None:
        begun = time.monotonic()
        try:
            deed()
        except Surprise as surprise:
            self._note([f"refused: {surprise}"])
        except BrokenPromise as broken:
            self._note(broken.faults)
        except Unanswered:
            self._wait_for_answers(connection, begun)

    def _note(self, faults: Sequence[str]) -> None:
        if not self._blind:
            self.faults += faults

    def _wait_for_answers(self, connection: Connection, begun: float) -> None:
        """Try until the registry answers again, or the clients are paused."""
        while not self._gate.closed:
            try:
                connection.ask("GET", "/v2/")
            except Unanswered:
                time.sleep(0.01)
            else:
                break
        else:
            return
        self.longest_gap = max(self.longest_gap, time.monotonic() - begun)


class Gate:
    """Where clients stop while it is closed."""

    def __init__(self, clients: int) -> None:
        self.closed = False
        self._ended = False
        self._clients = clients
        self._waiting = 0
        self._condition = threading.Condition()

    def passed(self) -> bool:
        """Return when the gate is open; `False` when it is all over."""
        with self._condition:
            self._waiting += 1
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self.closed or self._ended)
            self._waiting -= 1
            return not self._ended

    def close(self) -> None:
        """Return once all clients wait."""
        with self._condition:
            self.closed = True
            if not self._condition.wait_for(lambda: self._waiting >= self._clients, PARK_SECONDS):
                raise TimeoutError(f"{self._clients - self._waiting} clients do not come to rest")

    def open(self) -> None:
        with self._condition:
            self.closed = False
            self._condition.notify_all()

    def end(self) -> None:
        with self._condition:
            self._ended = self.closed = True
            self._condition.notify_all()

    def leave(self) -> None:
        """One client less."""
        with self._condition:
            self._clients -= 1
            self._condition.notify_all()
