"""What quotas leave to a push, before it sends bytes; the transaction that stores them decides.

start, append ──► room left?    refused early, with numbers, and bounded while bytes arrive
blob, manifest ─► transaction   exact: nothing is held that exceeds a limit
"""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from simple_registry.clock import Clock
from simple_registry.content import ByteStream
from simple_registry.oci.errors import Denied
from simple_registry.sizes import readable
from simple_registry.storage.protocols.usage import UsageRows
from simple_registry.storage.quotas import (
    Account,
    Allowance,
    Measure,
    OfIdentity,
    OfRepositories,
    OfRepository,
    OverQuota,
)

__all__ = ["Account", "Allowance", "Measure", "OfIdentity", "OfRepositories", "OfRepository", "QuotaExceeded", "Quotas"]

WARNING_INTERVAL = 3600
"""Seconds between two warnings about the same quota, by each process."""

logger = logging.getLogger("simple_registry")


class QuotaExceeded(Denied):
    """code-12, for a push that would exceed a quota. Clients show the message, and do not try again."""

    def __init__(self, over: OverQuota) -> None:
        # Of a body of unknown length only what arrived is known, and of an image only this part.
        needs = f"at least {readable(over.needs)}" if over.measure is Measure.BYTES else over.needs
        share = _share(over.measure, over.used, over.limit)
        self.message = f'quota "{over.quota}": {share} used, this push needs {needs} more'
        facts = {"quota": over.quota, "measure": str(over.measure)}
        super().__init__(note=self.message, **facts, limit=over.limit, used=over.used, needs=over.needs)


def _share(measure: Measure, used: int, limit: int) -> str:
    return f"{readable(used)} of {readable(limit)}" if measure is Measure.BYTES else f"{used} of {limit} {measure}"


@dataclass(frozen=True, slots=True)
class Room:
    """The bytes that the tightest quota leaves."""

    quota: str
    limit: int
    used: int

    def require(self, needs: int) -> None:
        """Raise QuotaExceeded unless there is room for `needs` bytes."""
        if self.used + needs > self.limit:
            raise QuotaExceeded(OverQuota(self.quota, Measure.BYTES, self.limit, self.used, needs))

    async def bounded(self, stream: ByteStream, before: int) -> AsyncIterator[bytes]:
        """Yield a stream that follows `before` bytes, while there is room for all of them."""
        size = before
        async for data in stream:
            size += len(data)
            self.require(size)
            yield data


class Quotas:
    """The quotas of pushes."""

    def __init__(self, usage: UsageRows, clock: Clock) -> None:
        self._usage = usage
        self._clock = clock
        self._warned: dict[str, float] = {}

    async def room(self, allowances: Sequence[Allowance]) -> Room | None:
        """Return the room that the tightest limit of bytes leaves, or `None` without any."""
        rooms = [
            Room(each.quota, each.limits[Measure.BYTES], (await self._usage.amounts(each.account))[Measure.BYTES])
            for each in allowances
            if Measure.BYTES in each.limits
        ]
        return min(rooms, key=lambda room: room.limit - room.used, default=None)

    async def warn(self, allowances: Sequence[Allowance]) -> None:
        """Log a warning about each quota that is nearly used up."""
        now = self._clock.monotonic()
        for each in allowances:
            if now - self._warned.get(each.quota, -WARNING_INTERVAL) < WARNING_INTERVAL:
                continue
            used = await self._usage.amounts(each.account)
            for measure, limit in each.limits.items():
                if used[measure] >= limit * each.warn_at:
                    self._warned[each.quota] = now
                    share = _share(measure, used[measure], limit)
                    logger.warning("quota %s is nearly used up: %s by %s", each.quota, share, _words(each.account))
                    break


def _words(account: Account) -> str:
    match account:
        case OfRepository(repository):
            return f"repository {repository}"
        case OfIdentity(identity):
            return f"user {identity}"
        case _:
            return "all its repositories"


def require_within(outcome: object) -> None:
    """Raise QuotaExceeded if the outcome of a change is that it exceeds a quota."""
    if isinstance(outcome, OverQuota):
        raise QuotaExceeded(outcome)
