"""Times of tags in memory, beside their targets; those of a tag that went mean nothing."""

from collections.abc import Mapping

from simple_registry.oci.digests import Digest
from simple_registry.oci.names import RepositoryName, Tag
from simple_registry.storage.records import Pull, TagRow

_Key = tuple[RepositoryName, Tag]


class MemoryTagTimes:
    """The times of tags, and the runs of Retentions."""

    def __init__(self) -> None:
        """Start empty."""
        super().__init__()
        self._pushed: dict[_Key, float] = {}
        self._pulled: dict[_Key, float] = {}
        self._runs: dict[str, float] = {}

    def date_push(self, repository: RepositoryName, targets: Mapping[Tag, Digest | None], now: float) -> None:
        """Date a push of tags, which are given with their targets before; a new one was not pulled yet."""
        for tag, before in targets.items():
            self._pushed[repository, tag] = now
            if before is None:
                self._pulled.pop((repository, tag), None)

    def dated(self, repository: RepositoryName, targets: Mapping[Tag, Digest]) -> list[TagRow]:
        """Return tags with their times."""
        keys = [(repository, tag) for tag in sorted(targets)]
        return [TagRow(key[1], targets[key[1]], self._pushed[key], self._pulled.get(key)) for key in keys]

    def date_pull(self, pull: Pull, targets: Mapping[Tag, Digest], apart: float) -> None:
        """Date a pull of a tag, or of all that point at a digest."""
        for tag, digest in targets.items():
            last = self._pulled.get((pull.repository, tag), 0.0)
            if pull.reference in (tag, digest) and not pull.when - apart <= last <= pull.when + apart:
                self._pulled[pull.repository, tag] = pull.when

    async def retention_runs(self) -> Mapping[str, float]:
        """Return when each Retention ran."""
        return dict(self._runs)

    async def keep_retention_runs(self, runs: Mapping[str, float]) -> None:
        """Replace what `retention_runs` returns."""
        self._runs = dict(runs)
