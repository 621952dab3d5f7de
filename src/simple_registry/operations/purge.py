"""Purging: the removal of one content at once, such as a secret that was pushed by mistake.

    rows: holdings, tags, journal ─► bytes, if no repository holds them ─► quarantine, snapshots of the database

It holds the locks of the collector, so no push is overtaken; and it removes nothing while a backup is made.
"""

from dataclasses import dataclass, field

from simple_registry.faults import StorageFault
from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName
from simple_registry.storage.purging import NeededBy, PurgedFrom, Purging, SnapshotsReplaced
from simple_registry.storage.records import Actor


@dataclass(frozen=True, slots=True)
class Purged:
    """What was purged, and `holders`: repositories because of which the bytes stay."""

    repositories: tuple[PurgedFrom, ...]
    holders: tuple[RepositoryName, ...]
    size: int = 0
    """The bytes of the content that were removed."""
    quarantined: tuple[str, ...] = ()
    snapshots: SnapshotsReplaced = field(default_factory=SnapshotsReplaced)

    @property
    def found(self) -> bool:
        """Whether there was anything to purge."""
        return bool(self.repositories or self.size or self.quarantined)


class Purge:
    """The operation."""

    def __init__(self, purging: Purging) -> None:
        self._purging = purging

    async def purge(
        self, digest: Digest, repository: RepositoryName | None, *, force: bool, actor: Actor
    ) -> Purged | NeededBy:
        """Purge content from a repository, or from all of them. With `force`, also what a manifest needs.

        Raises: StorageFault while a backup is made, and in read-only mode; then nothing was changed.
        """
        garbage = self._purging.garbage
        async with garbage.collecting(), garbage.removing() as allowed:
            if not allowed:
                raise StorageFault("purge content", "a backup is being made, which keeps all bytes; try again after it")
            outcome = await self._purging.rows.purge(digest, repository, force=force, actor=actor)
            if isinstance(outcome, NeededBy):
                return outcome
            if outcome.holders:
                return Purged(outcome.purged, outcome.holders)
            size = await self._remove_bytes(digest)
            quarantined = await self._purging.copies.remove_quarantined(digest)
        snapshots = await self._purging.copies.replace_snapshots(digest)
        return Purged(outcome.purged, (), size, quarantined, snapshots)

    async def _remove_bytes(self, digest: Digest) -> int:
        """Remove the bytes of condemned content. Return their number."""
        record = await self._purging.garbage.find_condemned(digest)
        if record is None:
            return 0
        await self._purging.content.remove(record)
        await self._purging.garbage.forget([record])
        return record.size
