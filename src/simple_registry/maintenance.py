"""Maintenance, by one worker for all of them: garbage collection, the signing key, retention, and snapshots."""

import asyncio
import logging
from collections import Counter
from typing import Protocol

from simple_registry.access.signed_tokens import SigningKey, SigningKeys
from simple_registry.authentication.token_service import REFRESH_LIFE
from simple_registry.clock import Clock
from simple_registry.faults import StorageReadOnly
from simple_registry.operations.garbage import Garbage
from simple_registry.operations.history import Pruning
from simple_registry.operations.read_only import ReadOnly
from simple_registry.operations.retention import TagRetention
from simple_registry.periodic import repeat

KEY_LIFE = 30 * 24 * 3600
"""Seconds for which a signing key signs before the next one takes over."""

KEY_KEPT = REFRESH_LIFE + 24 * 3600
"""Seconds for which it verifies after that: as long as any token that it signed can still be valid."""

COLLECTED = ("sessions", "tokens", "contents", "bytes", "manifests", "blobs", "early", "unneeded")
"""What is counted of collections."""

logger = logging.getLogger("simple_registry")


class RenewableKeys(SigningKeys, Protocol):
    """Signing keys of our own making."""

    def rotate(self, now: float, keep: float) -> SigningKey:
        """Make a new key that signs from now on; drop those that have not signed for `keep` seconds.

        Waits for the disk. Raises: StorageFault.
        """


class Snapshots(Protocol):
    """Rolling copies of the database."""

    def take_if_due(self) -> str | None:
        """Take a snapshot if the last one is old. Return its path, if taken.

        Waits for the disk. Raises: StorageFault.
        """


class Maintenance:
    """Repeated work on the stores that all workers share."""

    def __init__(
        self,
        garbage: Garbage,
        retention: TagRetention,
        keys: RenewableKeys | None,
        read_only: ReadOnly,
        clock: Clock,
        *,
        pruning: Pruning,
        snapshots: Snapshots,
        interval: float,
    ) -> None:
        """Do a round every `interval` seconds. Without `keys`, the operator gave one, which is not renewed."""
        self._garbage = garbage
        self._retention = retention
        self._pruning = pruning
        self._keys = keys
        self._read_only = read_only
        self._snapshots = snapshots
        self._clock = clock
        self._interval = interval
        self.collected = Counter(dict.fromkeys(COLLECTED, 0))
        """What was removed so far."""

    async def run(self) -> None:
        """Do rounds until cancelled; the next round repeats one that failed."""
        await repeat(self._round, self._interval, "maintenance")

    async def _round(self) -> None:
        try:
            await self._read_only.require_off()
            await self._collect()
            await self._pruning.prune()
            await self._renew_key()
            await self._retention.run_due()
            await self._take_snapshot()
        except StorageReadOnly as fault:
            logger.warning("maintenance waits, the storage is read-only: %s", fault)

    async def _collect(self) -> None:
        collected = await self._garbage.collect()
        swept = collected.swept
        fields = {
            "sessions": collected.sessions,
            "contents": swept.removed.count,
            "tokens": collected.tokens,
            "manifests": swept.manifests,
            "blobs": swept.blobs,
            "early": swept.early,
            "unneeded": swept.unneeded,
            "bytes": swept.removed.size,
        }
        self.collected.update(fields)
        level = logging.INFO if any(fields.values()) else logging.DEBUG
        logger.log(level, "garbage collected", extra={"fields": fields})

    async def _renew_key(self) -> None:
        now = self._clock.now()
        if self._keys is not None and self._keys.current().created < now - KEY_LIFE:
            await asyncio.to_thread(self._keys.rotate, now, KEY_KEPT)
            logger.info("the signing key was renewed")

    async def _take_snapshot(self) -> None:
        taken = await asyncio.to_thread(self._snapshots.take_if_due)
        if taken is not None:
            logger.info("a snapshot of the database was taken: %s", taken)
