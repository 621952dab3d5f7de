"""The access rules in force in a worker, which follow the documents.

Every worker polls the files by itself, so no message between processes is needed. A poll runs in its own thread and
costs one `stat` for each file. It works on any file system, with editors that rename, and with Kubernetes, which swaps
a symbolic link.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from simple_registry.access.rules import AccessRules
from simple_registry.config.followed import INTERVAL, Followed, Poll
from simple_registry.config.load import Loaded
from simple_registry.periodic import repeat

logger = logging.getLogger("simple_registry")


class CurrentAccess(Protocol):
    """The rules in force at each moment."""

    @property
    def rules(self) -> AccessRules:
        """The rules; a request reads them once and uses the same ones to its end."""

    @property
    def stale(self) -> str | None:
        """Why they are older than the files; `None` when they are not."""


class LiveAccess:
    """Rules that follow files."""

    def __init__(self, documents: Followed[Loaded], *, interval: float = INTERVAL) -> None:
        """Begin with the documents that the parent loaded last."""
        self._documents = documents
        self._interval = interval
        self._thread = ThreadPoolExecutor(1, "documents")  # its own, so that no request delays the removal of a user
        self.rules = documents.value.rules
        self.reloads = 0
        self.failures = 0

    @property
    def stale(self) -> str | None:
        """Why the rules are older than the files; `None` when they are not."""
        return self._documents.stale

    async def run(self) -> None:
        """Follow the files until cancelled."""
        await repeat(self.poll, self._interval, "polling the documents")

    async def poll(self) -> None:
        """Poll once, and use the rules of documents that changed."""
        known = self._documents.stale
        match await asyncio.get_running_loop().run_in_executor(self._thread, self._documents.poll):
            case Poll.LOADED:
                self.rules = self._documents.value.rules
                self.reloads += 1
                logger.info("access rules reloaded", extra={"fields": {"users": len(self.rules.users)}})
            case Poll.REFUSED:
                self.failures += 1
                if self._documents.stale != known:
                    logger.error("access rules not reloaded, the old ones stay in force: %s", self._documents.stale)
