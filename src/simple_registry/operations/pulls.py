"""The last pulls of tags, recorded beside the answers.

    pull ──► noted in memory, once in `PULL_INTERVAL` for each reference ──► one write a minute with all that were noted

A crash loses what was noted since the last write, which retention allows for. Pulls by digest count for the tags that
point there: most clients ask for a tag with HEAD, and then pull by digest.
"""

from collections.abc import Hashable

from simple_registry.access.retention import PULL_INTERVAL
from simple_registry.clock import Clock
from simple_registry.faults import StorageFault
from simple_registry.oci.names import Reference, RepositoryName
from simple_registry.periodic import repeat
from simple_registry.storage.protocols.tags import TagTimes
from simple_registry.storage.records import Pull

INTERVAL = 60.0
"""Seconds between two writes."""

MAX_NOTED = 50_000
"""References that each process remembers; beyond that it begins anew, and rows decide what is written."""


class Pulls:
    """The pulls that this process saw."""

    def __init__(self, rows: TagTimes, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._noted: dict[Hashable, float] = {}
        self._waiting: list[Pull] = []

    def note(self, repository: RepositoryName, reference: Reference) -> None:
        """Note a pull. Costs a microsecond, and waits for nothing."""
        now, key = self._clock.now(), (repository, reference)
        last = self._noted.get(key)
        if last is not None and abs(now - last) < PULL_INTERVAL:
            return
        if len(self._noted) >= MAX_NOTED:
            self._noted.clear()
        self._noted[key] = now
        if len(self._waiting) < MAX_NOTED:
            self._waiting.append(Pull(repository, reference, now))

    async def run(self) -> None:
        """Write once a minute until cancelled."""
        await repeat(self.write, INTERVAL, "recording pulls")

    async def write(self) -> None:
        """Record what was noted; on a disk that is full, read-only or failing it waits for the next time."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        try:
            await self._rows.record_pulls(waiting, apart=PULL_INTERVAL)
        except StorageFault:
            self._waiting = [*waiting, *self._waiting][:MAX_NOTED]
