"""The rules in force, followed as the documents change: polled, loaded whole, swapped in one step.

    signature changed ──► load everything ──► it loads: the new rules are in force, in this worker, within a second
                                        └──► it does not: the old ones stay, the log says why, /readyz says "stale"

Every worker follows the files by itself, so nothing has to reach the others. The files are looked at in a thread; a
look costs one `stat` per file, which works on any file system, for editors that rename, and for Kubernetes, which swaps
a symbolic link.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from simple_registry.access.rules import AccessRules
from simple_registry.config.values import ConfigError

INTERVAL = 0.5
"""Seconds between two looks: with the time to load, a change is in force within one second."""

LOOKS_TO_RETRY = 20
"""Looks after which what did not load is tried again, unchanged: the mistake may have been that of the machine."""

logger = logging.getLogger("simple_registry")


@dataclass(frozen=True, slots=True)
class ReloadStatus:
    """Whether the rules in force are those on disk; `problem` says why not."""

    problem: str | None = None

    @property
    def ok(self) -> bool:
        """Whether they are."""
        return self.problem is None


class CurrentAccess(Protocol):
    """The rules in force at each moment."""

    @property
    def rules(self) -> AccessRules:
        """The rules; a request takes them once and stays with them."""
        ...

    @property
    def status(self) -> ReloadStatus:
        """How they stand to the files."""
        ...


class LiveAccess:
    """Rules that follow files."""

    def __init__(
        self,
        load: Callable[[], AccessRules],
        signature: Callable[[], object],
        *,
        interval: float = INTERVAL,
    ) -> None:
        """Load once, now; `signature` is a value that differs when the files do.

        Raises: ConfigError.
        """
        self._load = load
        self._signature = signature
        self._interval = interval
        # Taken before loading: what changes in between is loaded again.
        self._seen = signature()
        self.rules = load()
        self.status = ReloadStatus()
        self._stale_looks = 0
        self.reloads = 0
        self.failures = 0

    async def run(self) -> None:
        """Follow the files until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.look()

    async def look(self) -> None:
        """Look once, and take over what changed."""
        seen = await asyncio.to_thread(self._signature)
        if seen == self._seen and not self._is_retry_due():
            return
        self._seen = seen
        self._stale_looks = 0
        try:
            rules = await asyncio.to_thread(self._load)
        except ConfigError as error:
            self._keep(str(error))
        except Exception:
            logger.exception("access rules not reloaded, the old ones stay in force")
            self._keep("an unexpected failure; see the log")
        else:
            self.rules, self.status = rules, ReloadStatus()
            self.reloads += 1
            logger.info("access rules reloaded", extra={"fields": {"users": len(rules.users)}})

    def _is_retry_due(self) -> bool:
        self._stale_looks += not self.status.ok
        return self._stale_looks >= LOOKS_TO_RETRY

    def _keep(self, problem: str) -> None:
        if problem != self.status.problem:
            logger.error("access rules not reloaded, the old ones stay in force: %s", problem)
        self.status = ReloadStatus(problem)
        self.failures += 1
