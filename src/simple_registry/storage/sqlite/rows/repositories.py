"""Repositories, in ASCII order of their names."""

from collections.abc import Sequence

from simple_registry.oci.names import RepositoryName
from simple_registry.storage.records import RepositorySummary
from simple_registry.storage.sqlite.engine.database import Database, Row

_FIND = "SELECT 1 FROM manifests WHERE repository = ? AND state <> 'deleted' LIMIT 1"
# Steps from one repository that holds a manifest to the next, by the index. So the cost depends on the page, and not on
# the manifests of a repository or on repositories without any.
_PAGE = """
WITH RECURSIVE holders (name) AS (
    SELECT min(repository) FROM manifests WHERE repository > ?1 AND state <> 'deleted'
    UNION ALL
    SELECT (SELECT min(repository) FROM manifests WHERE repository > name AND state <> 'deleted')
    FROM holders WHERE name IS NOT NULL
)
SELECT name FROM holders WHERE name IS NOT NULL LIMIT ?2
"""
_SEARCH = """
SELECT repository, tags, bytes, (SELECT max(pushed) FROM tags WHERE tags.repository = usage.repository)
FROM usage
WHERE repository > ?1 AND repository >= ?2 AND repository < ?3 AND instr(repository, ?4)
    AND EXISTS (SELECT 1 FROM manifests WHERE manifests.repository = usage.repository AND state <> 'deleted')
ORDER BY repository LIMIT ?5 OFFSET ?6
"""
_END = "~"
"""Sorts after every character of names."""


class SqliteRepositoryRows:
    """The repositories."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def is_listed(self, repository: RepositoryName) -> bool:
        """Return whether the repository holds a manifest."""
        return self._database.row(_FIND, repository) is not None

    async def page_repositories(self, after: str | None, limit: int) -> Sequence[RepositoryName]:
        """Return repositories that hold a manifest, in ASCII order, after `after`."""
        return [RepositoryName(str(name)) for (name,) in self._database.rows(_PAGE, after or "", limit)]

    async def search_repositories(
        self, text: str, below: str, after: str | None, limit: int, skip: int = 0
    ) -> Sequence[RepositorySummary]:
        """Return those of them whose names contain `text` and begin with `below`, in ASCII order, after `after`.

        The first `skip` of them are left out. Names without the text are passed over, so this runs in a thread.
        """
        bindings = (after or "", below, below + _END, text, limit, skip)
        return await self._database.in_thread(
            lambda connection: [_summary(row) for row in connection.execute(_SEARCH, bindings).fetchall()]
        )


def _summary(row: Row) -> RepositorySummary:
    name, tags, size, pushed = row
    last = None if pushed is None else float(pushed)
    return RepositorySummary(RepositoryName(str(name)), int(tags or 0), int(size or 0), last)
