"""The rules in force in a worker, followed as the documents change.

Every worker follows the files by itself, so no message between processes is needed. A look runs in a thread of its own
and costs one `stat` for each file, which works on any file system, for editors that rename, and for Kubernetes, which
swaps a symbolic link.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from simple_registry.access.rules import AccessRules
from simple_registry.config.followed import INTERVAL, Followed, Look
from simple_registry.config.load import Loaded
from simple_registry.periodic import repeat

logger = logging.getLogger("simple_registry")


class CurrentAccess(Protocol):
    """The rules in force at each moment."""

    @property
    def rules(self) -> AccessRules:
        """The rules; a request takes them once and stays with them."""

    @property
    def stale(self) -> str | None:
        """Why they are older than the files; `None` when they are not."""


class LiveAccess:
    """Rules that follow files."""

    def __init__(self, documents: Followed[Loaded], *, interval: float = INTERVAL) -> None:
        """Begin with the documents that the parent loaded last."""
        self._documents = documents
        self._interval = interval
        self._thread = ThreadPoolExecutor(1, "looks")  # of its own: no request delays the end of a user
        self.rules = documents.value.rules
        self.reloads = 0
        self.failures = 0

    @property
    def stale(self) -> str | None:
        """Why the rules are older than the files; `None` when they are not."""
        return self._documents.stale

    async def run(self) -> None:
        """Follow the files until cancelled."""
        await repeat(self.look, self._interval, "looking at the documents")

    async def look(self) -> None:
        """Look once, and take over what changed."""
        known = self._documents.stale
        match await asyncio.get_running_loop().run_in_executor(self._thread, self._documents.look):
            case Look.TAKEN:
                self.rules = self._documents.value.rules
                self.reloads += 1
                logger.info("access rules reloaded", extra={"fields": {"users": len(self.rules.users)}})
            case Look.REFUSED:
                self.failures += 1
                if self._documents.stale != known:
                    logger.error("access rules not reloaded, the old ones stay in force: %s", self._documents.stale)
